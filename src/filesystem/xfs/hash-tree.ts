/*
 * The tree of hashes over a directory's names or a file's attributes, big-endian. Each of its blocks begins with
 *
 *   byte  0  forw, the next block on its level, 0 for none     4  back     8  magic (16 bit)
 *
 *   magic   version 4   version 5
 *   node       febe        3ebe      16 or 64 bytes, with count and level at byte 12 or 56 (16 bit each), then entries:
 *                                    the highest hash below, and the block
 *   leaf       d2f1        3df1      of names, the only one: count at byte 12 or 56; from byte 16 or 64 on
 *              d2ff        3dff      entries of 8 bytes: hash, and where the name is, 8 bytes each, 0 for none
 *   leaf       fbee        3bee      of attributes
 *
 * Since version 5 forw and back are followed by the header of all metadata.
 *
 * Source: XFS Algorithms & Data Structures, "Leaf Directories", "Node Directories" and "Leaf Attributes".
 */
import { type ForkBlock, readForkBlocks } from './fork-blocks.ts';
import type { Fork } from './inode.ts';
import { metadataHeaders } from './metadata-header.ts';
import type { XfsVolume } from './volume.ts';

const deepest = 5;
const nodeMagics = { 4: 0xfebe, 5: 0x3ebe } as const;
const countOffsets = { 4: 12, 5: 56 } as const;
const nodeHeaders = { 4: 16, 5: 64 } as const;
const entryLength = 8;

/** A tree of hashes, and what its leaves are. */
export interface HashTree {
  readonly fork: Fork;
  /** The block of the fork where it begins, and how many of the disk's blocks each of its own is. */
  readonly first: number;
  readonly blocks: number;
  readonly leafMagics: readonly number[];
  /** The bytes of a leaf before its entries. */
  readonly leafHeader: number;
}

/** A leaf of the tree: its bytes, in order, and how many entries it has. */
export interface HashLeaf {
  readonly view: DataView;
  readonly what: string;
  readonly count: number;
  /** The block of the fork that holds the next leaf, 0 for none. */
  readonly next: number;
}

/** Whether there is one. */
export async function hasTree(volume: XfsVolume, { fork, first, blocks }: HashTree): Promise<boolean> {
  return (await readForkBlocks(volume, fork, first, blocks)) !== undefined;
}

/** The leaves from the first on that may hold `hash`. @throws VarveError `CORRUPT` */
export async function* leavesFrom(volume: XfsVolume, tree: HashTree, hash: number): AsyncGenerator<HashLeaf> {
  const seen = new Set<number>();
  for (let index = await findLeaf(volume, tree, hash); index !== undefined; ) {
    if (seen.has(index)) throw volume.corrupt(`${nameOf(tree, index)} follows itself`);
    seen.add(index);
    const leaf = leafIn(volume, tree, index, await treeBlock(volume, tree, index));
    yield leaf;
    index = leaf.next === 0 ? undefined : leaf.next;
  }
}

/** The block of the fork that is the first leaf which may hold `hash`. */
async function findLeaf(volume: XfsVolume, tree: HashTree, hash: number): Promise<number | undefined> {
  const { version } = volume.superblock;
  let above = deepest + 1;
  for (let index: number | undefined = tree.first; index !== undefined; ) {
    const found = await treeBlock(volume, tree, index);
    const { view } = found;
    if (view.getUint16(8) !== nodeMagics[version]) return index;
    verify(volume, tree, { index, found }, () => nodeProblem(view, version));
    const level = view.getUint16(countOffsets[version] + 2);
    if (level === 0 || level >= above) {
      throw volume.corrupt(`${nameOf(tree, index)} is at level ${level}, and should be below ${above}`);
    }
    above = level;
    index = childOf(view, version, hash);
  }
  return undefined;
}

async function treeBlock(volume: XfsVolume, tree: HashTree, index: number): Promise<ForkBlock> {
  const found = await readForkBlocks(volume, tree.fork, index, tree.blocks);
  if (found === undefined) throw volume.corrupt(`${nameOf(tree, index)} is not there`);
  return found;
}

function leafIn(volume: XfsVolume, tree: HashTree, index: number, found: ForkBlock): HashLeaf {
  const { view } = found;
  const { version } = volume.superblock;
  const count = view.getUint16(countOffsets[version]);
  verify(volume, tree, { index, found }, () => {
    if (!tree.leafMagics.includes(view.getUint16(8))) return 'has no magic';
    return entriesProblem(view, tree.leafHeader, count);
  });
  return { view, what: nameOf(tree, index), count, next: view.getUint32(0) };
}

interface PlacedBlock {
  readonly index: number;
  readonly found: ForkBlock;
}

function verify(
  volume: XfsVolume,
  tree: HashTree,
  { index, found }: PlacedBlock,
  problem: () => string | undefined,
): void {
  const { view, block } = found;
  const { inode: owner } = tree.fork;
  volume.verifyBlock(view, { what: nameOf(tree, index), header: metadataHeaders.names, block, owner }, problem);
}

function nodeProblem(view: DataView, version: 4 | 5): string | undefined {
  const count = view.getUint16(countOffsets[version]);
  return count === 0 ? 'has no entries' : entriesProblem(view, nodeHeaders[version], count);
}

function entriesProblem(view: DataView, start: number, count: number): string | undefined {
  const room = Math.floor((view.byteLength - start) / entryLength);
  if (count > room) return `has ${count} entries, and room for ${room}`;
  for (let entry = 1; entry < count; entry++) {
    const offset = start + entry * entryLength;
    if (view.getUint32(offset) < view.getUint32(offset - entryLength))
      return `has hashes out of order at byte ${offset}`;
  }
  return undefined;
}

/** The block below that may hold `hash`. */
function childOf(view: DataView, version: 4 | 5, hash: number): number | undefined {
  const start = nodeHeaders[version];
  const count = view.getUint16(countOffsets[version]);
  const entry = firstFrom(view, { start, count }, hash);
  return entry < count ? view.getUint32(start + entry * entryLength + 4) : undefined;
}

/** The first of `count` entries from byte `start` on whose hash is `hash` or higher; `count` for none. */
export function firstFrom(
  view: DataView,
  { start, count }: { readonly start: number; readonly count: number },
  hash: number,
): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (view.getUint32(start + middle * entryLength) < hash) low = middle + 1;
    else high = middle;
  }
  return low;
}

function nameOf({ fork }: HashTree, index: number): string {
  return `block ${index} of hashes in ${fork.name}`;
}
