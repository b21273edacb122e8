/*
 * A block of a tree, of nodesize bytes; little-endian:
 *
 *   byte   0  csum, 32 bytes, of all that follows     56  flags (56 bit)            88  owner, the tree's number
 *         32  fsid, 16 bytes                          64  chunk_tree_uuid, 16 bytes  96  nritems (32 bit)
 *         48  bytenr, its address                     80  generation               100  level (8 bit), 0 in leaves
 *
 * From byte 101 on, a leaf has items, and what they hold at the end of the block, the last one's first:
 *
 *   byte   0  key, 17 bytes      17  offset (32 bit), counted from byte 101      21  size (32 bit)
 *
 * and a block above the leaves has the blocks below it, with the first key of each:
 *
 *   byte   0  key, 17 bytes      17  blockptr, its address                       25  generation
 *
 * Source: btrfs.readthedocs.io, "On-disk format", header, leaf node, internal node.
 */
import { isEqual } from '../../bytes/is-equal.ts';
import { compareKeys } from './key.ts';
import { bytesOf, u64 } from './little-endian.ts';
import type { Superblock, TreePointer } from './superblock.ts';

/** Where the entries begin, and how long they are, in bytes. */
const headerLength = 101;
const itemLength = 25;
const pointerLength = 33;
const highestLevel = 7;

/** A block of a tree that was checked. */
export interface TreeBlock {
  readonly view: DataView;
  readonly level: number;
  readonly count: number;
  readonly generation: number;
  /** How many bytes each entry has. */
  readonly entryLength: number;
}

/** A block taken apart and checked; a text where it is damaged, or not the one that was looked for. */
export function decodeTreeBlock(view: DataView, pointer: TreePointer, superblock: Superblock): TreeBlock | string {
  const bytes = bytesOf(view);
  if (!superblock.checksums.fits(bytes.subarray(32), bytes, 0)) return 'does not fit its checksum';
  if (u64(view, 48) !== pointer.address) return `says that it is at address ${u64(view, 48)}`;
  if (!isEqual(bytes.subarray(32, 48), superblock.metadataUuid)) return 'belongs to another file system';
  const level = view.getUint8(100);
  const block = {
    ...{ view, level, count: view.getUint32(96, true), generation: u64(view, 80) },
    entryLength: level === 0 ? itemLength : pointerLength,
  };
  return pointerProblem(block, pointer) ?? contentProblem(block) ?? block;
}

/** What is wrong with a block in the place where it was looked for. */
export function pointerProblem({ level, generation }: TreeBlock, expected: TreePointer): string | undefined {
  if (level !== expected.level || level > highestLevel) return `is of level ${level}, not ${expected.level}`;
  if (generation === expected.generation) return undefined;
  return `is of generation ${generation}, not ${expected.generation}`;
}

function contentProblem(block: TreeBlock): string | undefined {
  const { view, level, count, entryLength } = block;
  const end = headerLength + count * entryLength;
  if (end > view.byteLength) return `has ${count} entries, more than there is room for`;
  if (count === 0 && level > 0) return 'has no entries';
  for (let index = 0; index < count; index++) {
    const at = keyPlace(block, index);
    if (index > 0 && compareKeys(view, at - entryLength, view, at) >= 0) return `is out of order at entry ${index}`;
    if (level > 0) continue;
    const start = headerLength + view.getUint32(at + 17, true);
    if (start < end || start + view.getUint32(at + 21, true) > view.byteLength) {
      return `has an item ${index} at byte ${start} that is not inside it`;
    }
  }
  return undefined;
}

/** Where the key of entry `index` is in a block. */
export function keyPlace({ entryLength }: TreeBlock, index: number): number {
  return headerLength + index * entryLength;
}

/** What item `index` of a leaf holds. */
export function itemView({ view }: TreeBlock, index: number): DataView {
  const at = headerLength + index * itemLength;
  return new DataView(
    view.buffer,
    view.byteOffset + headerLength + view.getUint32(at + 17, true),
    view.getUint32(at + 21, true),
  );
}

/** Where block `index` below a block is. */
export function pointerAt({ view, level }: TreeBlock, index: number): TreePointer {
  const at = headerLength + index * pointerLength + 17;
  return { address: u64(view, at), generation: u64(view, at + 8), level: level - 1 };
}

/** How many entries of a block have keys before the one at the start of `key`; with `orSame`, up to it. */
export function countBefore(block: TreeBlock, key: DataView, orSame = false): number {
  let low = 0;
  let high = block.count;
  while (low < high) {
    const middle = (low + high) >> 1;
    const order = compareKeys(block.view, keyPlace(block, middle), key, 0);
    if (order < 0 || (orSame && order === 0)) low = middle + 1;
    else high = middle;
  }
  return low;
}
