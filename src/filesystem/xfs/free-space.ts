/*
 * The B+tree of a group's free extents by place, big-endian. Its blocks begin with
 *
 *   byte  0  bb_magic, "ABTB", "AB3B" since version 5     6  bb_numrecs (16 bit)    8  bb_leftsib
 *         4  bb_level (16 bit), 0 in leaves                                       12  bb_rightsib
 *
 * and hold, from byte 16 (56 since version 5) on, extents of 8 bytes, their first block in the group and how many there are;
 * blocks above the leaves have as many of these as there is room for, as keys, and then the blocks below, of 4 bytes each.
 *
 * Source: XFS Algorithms & Data Structures, "AG Free Space B+trees".
 */
import type { DeviceRange } from '../file-system.ts';
import { type GroupFreeSpace, readGroup } from './allocation-group.ts';
import { metadataHeaders } from './metadata-header.ts';
import type { XfsVolume } from './volume.ts';

const magics = { 4: 0x4142_5442, 5: 0x4142_3342 } as const;
const headerLengths = { 4: 16, 5: 56 } as const;
const extentLength = 8;
const pointerLength = 4;

/** A run of free blocks, counted from the group's start. */
export interface FreeExtent {
  readonly start: number;
  readonly count: number;
}

/** A block of a group's tree. */
interface TreeBlock {
  readonly group: number;
  /** In blocks from the group's start. */
  readonly index: number;
  readonly level: number;
}

/**
 * The ranges of the device whose blocks are free, in order; neighbours across two groups are two. What is free is counted
 * against what its groups say, and where `isClean`, what the superblock says, before any is told.
 *
 * @throws VarveError `CORRUPT`
 */
export async function* freeRangesOf(volume: XfsVolume, isClean: boolean): AsyncGenerator<DeviceRange> {
  const { groupCount, groupBlocks, blockSize } = volume.superblock;
  if (isClean) await checkTotal(volume);
  for (let group = 0; group < groupCount; group++) {
    for (const { start, count } of await freeIn(volume, group, await readGroup(volume, group))) {
      yield { offset: (group * groupBlocks + start) * blockSize, length: count * blockSize };
    }
  }
}

async function checkTotal(volume: XfsVolume): Promise<void> {
  const { groupCount, hasLazyCounters, freeBlockCount } = volume.superblock;
  let total = 0;
  for (let group = 0; group < groupCount; group++) {
    const { freeCount, listCount, treeCount } = await readGroup(volume, group);
    total += freeCount + listCount + (hasLazyCounters ? treeCount : 0);
  }
  if (total === freeBlockCount) return;
  throw volume.corrupt(`its allocation groups have ${total} free blocks, and its superblock ${freeBlockCount}`);
}

/** The free extents of a group, in order. @throws VarveError `CORRUPT` */
export async function freeIn(volume: XfsVolume, group: number, space: GroupFreeSpace): Promise<FreeExtent[]> {
  const extents: FreeExtent[] = [];
  const pending: TreeBlock[] = [{ group, index: space.root, level: space.levels - 1 }];
  let end = 0;
  let total = 0;
  const what = `the tree of free space of allocation group ${group}`;
  for (let next = pending.pop(), steps = 0; next !== undefined; next = pending.pop(), steps++) {
    // Each block is in the tree once, and takes a block of the group.
    if (steps > space.length) throw volume.corrupt(`${what} has more blocks than the group`);
    const below = await blockOf(volume, next);
    if ('children' in below) {
      pending.push(...below.children.reverse());
      continue;
    }
    for (const { start, count } of below.extents) {
      if (start < end || count === 0 || start + count > space.length) {
        throw volume.corrupt(`${what} has blocks ${start} to ${start + count - 1} after ${end} of ${space.length}`);
      }
      end = start + count;
      total += count;
      extents.push({ start, count });
    }
  }
  if (total === space.freeCount) return extents;
  throw volume.corrupt(`${what} has ${total} free blocks, and its head ${space.freeCount}`);
}

type Entries = { readonly extents: FreeExtent[] } | { readonly children: TreeBlock[] };

async function blockOf(volume: XfsVolume, { group, index, level }: TreeBlock): Promise<Entries> {
  const { version, blockSize } = volume.superblock;
  const what = `block ${index} of the tree of free space of allocation group ${group}`;
  const block = volume.blockInGroup(group, index, { count: 1, what });
  const view = await volume.block(block, what);
  const start = headerLengths[version];
  const most = Math.floor((blockSize - start) / (extentLength + (level === 0 ? 0 : pointerLength)));
  const count = view.getUint16(6);
  volume.verifyBlock(view, { what, header: metadataHeaders.groupTree, block, owner: group }, () => {
    return view.getUint32(0) === magics[version] ? undefined : 'has no magic';
  });
  if (view.getUint16(4) !== level || count > most) {
    throw volume.corrupt(
      `${what} is at level ${view.getUint16(4)} with ${count} entries; it should be ${level}, ${most}`,
    );
  }
  if (level > 0) {
    const pointers = start + most * extentLength;
    const childAt = (entry: number) => view.getUint32(pointers + entry * pointerLength);
    return {
      children: Array.from({ length: count }, (_, entry) => ({ group, index: childAt(entry), level: level - 1 })),
    };
  }
  const extentAt = (entry: number) => ({
    start: view.getUint32(start + entry * extentLength),
    count: view.getUint32(start + entry * extentLength + 4),
  });
  return { extents: Array.from({ length: count }, (_, entry) => extentAt(entry)) };
}
