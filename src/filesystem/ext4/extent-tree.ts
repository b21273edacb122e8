/*
 * A node of the tree of extents: a header of 12 bytes and entries of 12 bytes, little-endian.
 *
 *   header          0  eh_magic, f30a (16 bit)     2  eh_entries (16)     4  eh_max (16)     6  eh_depth (16)
 *   extent          0  ee_block     4  ee_len (16)     6  ee_start_hi (16)     8  ee_start_lo
 *   index           0  ei_block     4  ei_leaf_lo      8  ei_leaf_hi (16)
 *
 * An extent longer than 32768 blocks is one that was allocated and never written, of 32768 less. Blocks of the tree end
 * with a checksum, after the last entry that there is room for.
 *
 * Source: Linux, Documentation/filesystems/ext4/ifork.rst, "Extent Tree".
 */
import type { MaybePromise } from '../../block/block-device.ts';
import type { BlockRun } from '../block-run.ts';
import { asStored, chained } from './checksum.ts';
import type { Inode } from './inode.ts';
import type { Ext4Volume } from './volume.ts';

const headerLength = 12;
const entryLength = 12;
const deepest = 5;
const longestWritten = 32_768;
/** Files have at most 2^32 blocks. */
const lastBlock = 2 ** 32;

/** The run of blocks from block `index` of a file on, at most `count` of them. @throws VarveError `CORRUPT` */
export async function findExtent(volume: Ext4Volume, inode: Inode, index: number, count: number): Promise<BlockRun> {
  const changed = volume.changed?.extents.get(inode.number);
  if (changed !== undefined) return changed.find(index, count);
  const area = inode.blockArea;
  let node = new DataView(area.buffer, area.byteOffset, area.length);
  let what = `the tree of extents of inode ${inode.number}`;
  let end = Math.min(lastBlock, index + count);
  let depth = checkNode(volume, node, what);
  for (; depth > 0; depth--) {
    const entry = lastEntryUpTo(node, index);
    end = Math.min(end, firstBlockOf(node, entry + 1));
    if (entry < 0) return { kind: 'hole', block: 0, count: end - index };
    const offset = headerLength + entry * entryLength;
    const block = indexedBlock(node, offset);
    what = `block ${block} of the tree of extents of inode ${inode.number}`;
    node = await treeBlock(volume, inode, block, what);
    const below = checkNode(volume, node, what);
    if (below !== depth - 1) throw volume.corrupt(`${what} is ${below} above the leaves, and should be ${depth - 1}`);
  }
  return runIn(volume, node, { index, end, what });
}

/** Every run of blocks that the extents of an inode take, past its size too, and the blocks of the tree. @throws VarveError `CORRUPT` */
export async function* blocksOfExtents(volume: Ext4Volume, inode: Inode): AsyncGenerator<BlockRun> {
  const area = inode.blockArea;
  const root = new DataView(area.buffer, area.byteOffset, area.length);
  const pending = [{ node: root, what: `the tree of extents of inode ${inode.number}` }];
  const seen = new Set<number>();
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const { node, what } = next;
    const isLeaf = checkNode(volume, node, what) === 0;
    for (let entry = 0; entry < node.getUint16(2, true); entry++) {
      const offset = headerLength + entry * entryLength;
      if (isLeaf) {
        const { block, count } = extentAt(node, offset);
        volume.checkRange(block, count, what);
        yield { kind: 'data', block, count };
        continue;
      }
      const block = indexedBlock(node, offset);
      if (seen.has(block)) throw volume.corrupt(`${what} has block ${block} again`);
      seen.add(block);
      yield { kind: 'data', block, count: 1 };
      const below = `block ${block} of the tree of extents of inode ${inode.number}`;
      pending.push({ node: await treeBlock(volume, inode, block, below), what: below });
    }
  }
}

function indexedBlock(node: DataView, offset: number): number {
  return node.getUint32(offset + 4, true) + node.getUint16(offset + 8, true) * 2 ** 32;
}

function extentAt(leaf: DataView, offset: number): { block: number; count: number; isWritten: boolean } {
  const length = leaf.getUint16(offset + 4, true);
  const isWritten = length <= longestWritten;
  const block = leaf.getUint32(offset + 8, true) + leaf.getUint16(offset + 6, true) * 2 ** 32;
  return { block, count: isWritten ? length : length - longestWritten, isWritten };
}

function treeBlock(volume: Ext4Volume, inode: Inode, block: number, what: string): MaybePromise<DataView> {
  const page = volume.block(block, what);
  const verified = (node: DataView) => {
    volume.verifyOnce(node, what, () => (volume.hasChecksums ? checksumProblem(node, inode) : undefined));
    return node;
  };
  return page instanceof Promise ? page.then(verified) : verified(page);
}

function checksumProblem(node: DataView, inode: Inode): string | undefined {
  const tail = headerLength + node.getUint16(4, true) * entryLength;
  if (tail + 4 > node.byteLength) return 'has no room for its checksum';
  const sum = chained(inode.checksumSeed, new Uint8Array(node.buffer, node.byteOffset, tail));
  return asStored(sum) === node.getUint32(tail, true) ? undefined : 'does not fit its checksum';
}

/** The height of a node above the leaves. */
function checkNode(volume: Ext4Volume, node: DataView, what: string): number {
  const magic = node.getUint16(0, true);
  const entries = node.getUint16(2, true);
  const most = node.getUint16(4, true);
  const depth = node.getUint16(6, true);
  const room = Math.floor((node.byteLength - headerLength) / entryLength);
  if (magic !== 0xf30a) throw volume.corrupt(`${what} has no magic`);
  if (entries > most || most > room)
    throw volume.corrupt(`${what} has ${entries} entries of ${most}, and room for ${room}`);
  if (depth > deepest) throw volume.corrupt(`${what} is ${depth} levels high`);
  return depth;
}

/** The last entry that begins at block `index` of the file or before, -1 for none. */
function lastEntryUpTo(node: DataView, index: number): number {
  let low = 0;
  let high = node.getUint16(2, true);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (node.getUint32(headerLength + middle * entryLength, true) <= index) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Where entry `entry` begins in the file; past the last one, where files end. */
function firstBlockOf(node: DataView, entry: number): number {
  return entry < node.getUint16(2, true) ? node.getUint32(headerLength + entry * entryLength, true) : lastBlock;
}

function runIn(
  volume: Ext4Volume,
  leaf: DataView,
  { index, end, what }: { readonly index: number; readonly end: number; readonly what: string },
): BlockRun {
  const entry = lastEntryUpTo(leaf, index);
  const gap = Math.max(1, Math.min(end, firstBlockOf(leaf, entry + 1)) - index);
  if (entry < 0) return { kind: 'hole', block: 0, count: gap };
  const offset = headerLength + entry * entryLength;
  const first = leaf.getUint32(offset, true);
  const { block: start, count, isWritten } = extentAt(leaf, offset);
  if (index >= first + count) return { kind: 'hole', block: 0, count: gap };
  volume.checkRange(start, count, what);
  const block = start + index - first;
  return { kind: isWritten ? 'data' : 'zero', block, count: Math.max(1, Math.min(end, first + count) - index) };
}
