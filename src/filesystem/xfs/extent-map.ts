/*
 * The B+tree of a fork with many extents. Its root is in the inode: bb_level and bb_numrecs (16 bit each), keys, pointers.
 * The blocks below begin with
 *
 *   byte  0  bb_magic, "BMAP", "BMA3" since version 5     4  bb_level (16 bit), 0 in leaves     6  bb_numrecs (16 bit)
 *
 * and hold, from byte 24 (72 since version 5) on, extents in leaves, else keys and pointers of 8 bytes each: as many keys as
 * there is room for, and then the pointers. A key is the first block of the fork below it.
 *
 * Source: XFS Algorithms & Data Structures, "B+tree Extent List".
 */

import type { BlockRun } from '../block-run.ts';
import { u64 } from './big-endian.ts';
import { lastBlock, placeOf, recordAt, recordIndex, recordLength, recordsProblem } from './extent-record.ts';
import type { Fork } from './inode.ts';
import { metadataHeaders } from './metadata-header.ts';
import type { XfsVolume } from './volume.ts';

const rootHeaderLength = 4;
const deepest = 9;
const magics = { 4: 0x424d_4150, 5: 0x424d_4133 } as const;
const headerLengths = { 4: 24, 5: 72 } as const;

/** Some entries of a B+tree: extents, or keys and pointers. */
interface TreeNode {
  readonly view: DataView;
  readonly what: string;
  /** How far it is above the leaves. */
  readonly level: number;
  readonly count: number;
  /** Where its extents or keys begin, in bytes. */
  readonly start: number;
}

/** Which blocks of a fork are asked for: from `index` up to `end`. */
interface Wanted {
  readonly index: number;
  readonly end: number;
}

/** The run of blocks from block `index` of a fork on, at most `count` of them. @throws VarveError `CORRUPT` */
export async function findRun(volume: XfsVolume, fork: Fork, index: number, count: number): Promise<BlockRun> {
  let end = Math.min(lastBlock, index + count);
  let node = rootOf(volume, fork);
  while (node.level > 0) {
    const entry = Math.max(0, lastUpTo(node, index));
    if (entry + 1 < node.count) end = Math.max(index + 1, Math.min(end, keyAt(node, entry + 1)));
    node = await childOf(volume, fork, node, entry);
  }
  return runIn(volume, node, { index, end });
}

/** Every run of blocks that a fork takes, and the blocks of its tree. @throws VarveError `CORRUPT` */
export async function* blocksOfFork(volume: XfsVolume, fork: Fork): AsyncGenerator<BlockRun> {
  if (fork.format === 'local' || fork.format === 'device') return;
  const pending = [rootOf(volume, fork)];
  const seen = new Set<number>();
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    for (let entry = 0; entry < node.count; entry++) {
      if (node.level === 0) {
        const record = recordAt(node.view, node.start + entry * recordLength);
        yield { kind: 'data', block: placeOf(volume, record, node.what), count: record.count };
        continue;
      }
      const block = blockBelow(volume, node, entry);
      if (seen.has(block)) throw volume.corrupt(`${node.what} has block ${block} again`);
      seen.add(block);
      yield { kind: 'data', block, count: 1 };
      pending.push(await childOf(volume, fork, node, entry));
    }
  }
}

function rootOf(volume: XfsVolume, fork: Fork): TreeNode {
  const { view, extentCount, name: what } = fork;
  if (fork.format === 'extents') {
    volume.verifyOnce(view, what, () => recordsProblem(view, 0, extentCount));
    return { view, what, level: 0, count: extentCount, start: 0 };
  }
  if (fork.format !== 'btree') throw volume.corrupt(`${what} has no blocks`);
  const [level, count] = [view.getUint16(0), view.getUint16(2)];
  const node = { view, what, level, count, start: rootHeaderLength };
  volume.verifyOnce(view, what, () => {
    if (level === 0 || level > deepest) return `is a tree of ${level} levels`;
    return nodeProblem(node);
  });
  return node;
}

async function childOf(volume: XfsVolume, fork: Fork, parent: TreeNode, entry: number): Promise<TreeNode> {
  const { version } = volume.superblock;
  const block = blockBelow(volume, parent, entry);
  const level = parent.level - 1;
  const what = `block ${block} of ${fork.name}, at level ${level}`;
  const view = await volume.block(block, what);
  const node = { view, what, level, count: view.getUint16(6), start: headerLengths[version] };
  volume.verifyBlock(view, { what, header: metadataHeaders.forkTree, block, owner: fork.inode }, () => {
    if (view.getUint32(0) !== magics[version]) return 'has no magic';
    return view.getUint16(4) === level ? nodeProblem(node) : `says that it is at level ${view.getUint16(4)}`;
  });
  return node;
}

function blockBelow(volume: XfsVolume, parent: TreeNode, entry: number): number {
  const pointer = u64(parent.view, parent.start + mostIn(parent) * 8 + entry * 8);
  return volume.blockAt(pointer, 1, `entry ${entry} of ${parent.what}`);
}

/** How many entries there is room for. */
function mostIn({ view, start }: TreeNode): number {
  return Math.floor((view.byteLength - start) / recordLength);
}

function nodeProblem(node: TreeNode): string | undefined {
  const { view, level, count, start } = node;
  if (count === 0 || count > mostIn(node)) return `has ${count} entries, and room for ${mostIn(node)}`;
  if (level === 0) return recordsProblem(view, start, count);
  for (let entry = 1; entry < count; entry++) {
    if (keyAt(node, entry) <= keyAt(node, entry - 1)) return `has keys out of order at entry ${entry}`;
  }
  return undefined;
}

/** The first block of the fork in or below an entry. */
function keyAt({ view, level, start }: TreeNode, entry: number): number {
  return level === 0 ? recordIndex(view, start + entry * recordLength) : u64(view, start + entry * 8);
}

/** The last entry that begins at block `index` of the fork or before, -1 for none. */
function lastUpTo(node: TreeNode, index: number): number {
  let low = 0;
  let high = node.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (keyAt(node, middle) <= index) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function runIn(volume: XfsVolume, leaf: TreeNode, { index, end }: Wanted): BlockRun {
  const entry = lastUpTo(leaf, index);
  const record = entry < 0 ? undefined : recordAt(leaf.view, leaf.start + entry * recordLength);
  if (record === undefined || index >= record.index + record.count) {
    const next = entry + 1 < leaf.count ? keyAt(leaf, entry + 1) : lastBlock;
    return { kind: 'hole', block: 0, count: Math.min(end, next) - index };
  }
  const block = placeOf(volume, record, leaf.what) + index - record.index;
  const count = Math.min(end, record.index + record.count) - index;
  return { kind: record.isWritten ? 'data' : 'zero', block, count };
}
