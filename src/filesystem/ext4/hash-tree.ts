/*
 * The index of a directory: a tree of blocks by the hashes of names, whose leaves are blocks of names as in any directory.
 * Readers that know no index see each of its blocks as unused entries.
 *
 *   root, block 0 of the directory                node, any other
 *     24  reserved, 0       30  indirect_levels     0  a fake entry of the whole block
 *     28  hash_version (8)  31  unused_flags        8  limit (16 bit), count (16 bit), block
 *     29  info_length, 8                           16  hash, block, and so on
 *     32  limit (16 bit), count (16 bit), block
 *     40  hash, block, and so on
 *
 * An entry is for the names with its hash and all up to the next entry's; the first one has no hash, which is the lowest.
 * Where the lowest bit of a hash is set, names with the hash before it go on there. After as many entries as there is room
 * for (limit) stand 4 bytes and a checksum.
 *
 * Source: Linux, Documentation/filesystems/ext4/directory.rst, "Hash Tree Directories".
 */
import { isEqual } from '../../bytes/is-equal.ts';
import { asStored, chained } from './checksum.ts';
import type { Inode } from './inode.ts';
import { nameHash } from './name-hash.ts';
import type { Ext4Volume } from './volume.ts';

const rootEntries = 32;
const nodeEntries = 8;
const entryLength = 8;
const infoLength = 8;
/** Names of one hash in more blocks are no chance. */
const mostLeaves = 1000;
/** With directories of more than 2 GiB, one more than before. */
const mostLevels = 3;

/** Blocks that were found to be in order as such of an index. */
const verified = new WeakSet<DataView>();

/** What reads the parts of a directory, by the numbers of its blocks in it. */
export interface DirectoryBlocks {
  /** A block of the index, which has no checksum of its own kind. */
  indexBlock(index: number): Promise<DataView>;
  /** The node of a name in a block of names. */
  findIn(index: number, name: Uint8Array): Promise<number | undefined>;
}

/** A node of the index, and which of its entries is meant. */
interface Place {
  readonly node: DataView;
  readonly start: number;
  readonly count: number;
  entry: number;
}

/**
 * The node of a name, found by the directory's index; undefined where it is not there, and `no index` where the index is one
 * that cannot be followed: the directory can be read from its start to its end then.
 *
 * @throws VarveError `CORRUPT` for blocks that do not fit their checksums
 */
export async function findByHash(
  volume: Ext4Volume,
  inode: Inode,
  name: Uint8Array,
  blocks: DirectoryBlocks,
): Promise<number | undefined | 'no index'> {
  const root = await blocks.indexBlock(0);
  const levels = root.getUint8(30);
  const isKnown = root.getUint32(24, true) === 0 && root.getUint8(29) === infoLength && levels <= mostLevels;
  const hash = isKnown ? nameHash(name, root.getUint8(28), volume.superblock.nameHashes) : undefined;
  if (hash === undefined) return 'no index';
  const way: Place[] = [];
  let [node, start] = [root, rootEntries];
  for (let level = 0; ; level++) {
    const place = placeIn(volume, inode, node, start, hash);
    if (place === undefined) return 'no index';
    way.push(place);
    if (level === levels) break;
    [node, start] = [await blocks.indexBlock(blockOf(place)), nodeEntries];
  }
  return await findInLeaves(volume, inode, { way, hash, name, blocks });
}

interface Search {
  readonly way: Place[];
  readonly hash: number;
  readonly name: Uint8Array;
  readonly blocks: DirectoryBlocks;
}

async function findInLeaves(
  volume: Ext4Volume,
  inode: Inode,
  { blocks, hash, name, way }: Search,
): Promise<number | undefined | 'no index'> {
  for (let leaf = 0; leaf < mostLeaves; leaf++) {
    const found = await blocks.findIn(blockOf(way.at(-1)!), name);
    if (found !== undefined) return found;
    const next = await goOn(volume, inode, way, hash, blocks);
    if (next !== true) return next;
  }
  return 'no index';
}

/** Goes to the next leaf, if names with this hash go on there: true then. */
async function goOn(
  volume: Ext4Volume,
  inode: Inode,
  way: Place[],
  hash: number,
  blocks: DirectoryBlocks,
): Promise<true | undefined | 'no index'> {
  let depth = way.length - 1;
  while (depth >= 0 && way[depth]!.entry + 1 >= way[depth]!.count) depth -= 1;
  if (depth < 0) return undefined;
  way[depth]!.entry += 1;
  if (hashOf(way[depth]!) !== hash + 1) return undefined;
  for (let below = depth + 1; below < way.length; below++) {
    const node = await blocks.indexBlock(blockOf(way[below - 1]!));
    const place = placeIn(volume, inode, node, nodeEntries, 0);
    if (place === undefined) return 'no index';
    way[below] = place;
  }
  return true;
}

/** The entry of a node that a hash belongs to; undefined where this is no node. */
function placeIn(volume: Ext4Volume, inode: Inode, node: DataView, start: number, hash: number): Place | undefined {
  const [limit, count] = [node.getUint16(start, true), node.getUint16(start + 2, true)];
  const end = start + limit * entryLength;
  if (count === 0 || count > limit || end > node.byteLength) return undefined;
  if (volume.hasChecksums && !verified.has(node)) {
    const problem = checksumProblem(inode, node, start);
    if (problem !== undefined) throw volume.corrupt(`the index of directory ${inode.number} ${problem}`);
    verified.add(node);
  }
  let [low, high] = [1, count];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (node.getUint32(start + middle * entryLength, true) <= hash) low = middle + 1;
    else high = middle;
  }
  return { node, start, count, entry: low - 1 };
}

function checksumProblem(inode: Inode, node: DataView, start: number): string | undefined {
  const tail = start + node.getUint16(start, true) * entryLength;
  if (tail + 8 > node.byteLength) return 'has no room for its checksum';
  const used = start + node.getUint16(start + 2, true) * entryLength;
  const bytes = new Uint8Array(node.buffer, node.byteOffset, node.byteLength);
  const sum = chained(inode.checksumSeed, bytes.subarray(0, used), bytes.subarray(tail, tail + 4), new Uint8Array(4));
  return asStored(sum) === node.getUint32(tail + 4, true) ? undefined : 'does not fit its checksum';
}

function hashOf({ entry, node, start }: Place): number {
  return node.getUint32(start + entry * entryLength, true);
}

function blockOf({ entry, node, start }: Place): number {
  // The upper bits are kept for what may come.
  return node.getUint32(start + entry * entryLength + 4, true) & 0x0fff_ffff;
}

/** The node of a name in a block's entries. */
export function nodeOf(
  entries: Iterable<{ readonly name: Uint8Array; readonly node: number }>,
  name: Uint8Array,
): number | undefined {
  for (const entry of entries) if (isEqual(entry.name, name)) return entry.node;
  return undefined;
}
