import type { DeviceRange } from '../file-system.ts';
import { asStored, chained } from './checksum.ts';
import { hasSuperblock, superblockBlock } from './group-descriptors.ts';
import type { Ext4Volume } from './volume.ts';

/** A run of blocks: the first, and the one after the last. */
export interface Blocks {
  readonly start: number;
  readonly end: number;
}

/** The ranges of the device whose blocks are free by the block bitmaps, in order. @throws VarveError `CORRUPT` */
export async function* freeRangesOf(volume: Ext4Volume): AsyncGenerator<DeviceRange> {
  const { superblock } = volume;
  let free: Blocks | undefined;
  for (let group = 0; group < superblock.groupCount; group++) {
    for (const run of await freeInGroup(volume, group)) {
      if (free !== undefined && free.end === run.start) free = { start: free.start, end: run.end };
      else {
        if (free !== undefined) yield rangeOf(free, superblock.blockSize);
        free = run;
      }
    }
  }
  if (free !== undefined) yield rangeOf(free, superblock.blockSize);
}

function rangeOf({ start, end }: Blocks, blockSize: number): DeviceRange {
  return { offset: start * blockSize, length: (end - start) * blockSize };
}

/** The free blocks of a group, in order. @throws VarveError `CORRUPT` */
export async function freeInGroup(volume: Ext4Volume, group: number): Promise<Blocks[]> {
  const { blocksPerGroup, blockCount, firstDataBlock } = volume.superblock;
  const start = firstDataBlock + group * blocksPerGroup;
  const end = Math.min(blockCount, start + blocksPerGroup);
  const { hasBlockBitmap } = await volume.groups.get(group);
  return hasBlockBitmap
    ? await freeByBitmap(volume, group, { start, end })
    : await freeByLayout(volume, group, { start, end });
}

async function freeByBitmap(volume: Ext4Volume, group: number, { start, end }: Blocks): Promise<Blocks[]> {
  const { blocksPerCluster } = volume.superblock;
  const bitmap = await readBitmap(volume, group);
  const runs: Blocks[] = [];
  let first = -1;
  const clusterCount = Math.ceil((end - start) / blocksPerCluster);
  for (let cluster = 0; cluster <= clusterCount; cluster++) {
    // Whole bytes that are in use, or free, need no look at each bit.
    if ((cluster & 7) === 0 && cluster + 8 <= clusterCount && bitmap[cluster >> 3] === (first < 0 ? 0xff : 0)) {
      cluster += 7;
      continue;
    }
    const isFree = cluster < clusterCount && (bitmap[cluster >> 3]! & (1 << (cluster & 7))) === 0;
    if (isFree && first < 0) first = cluster;
    if (isFree || first < 0) continue;
    runs.push({ start: start + first * blocksPerCluster, end: Math.min(end, start + cluster * blocksPerCluster) });
    first = -1;
  }
  return runs;
}

async function readBitmap(volume: Ext4Volume, group: number): Promise<Uint8Array> {
  const { blocksPerGroup, blocksPerCluster, checksumSeed, descriptorSize } = volume.superblock;
  const { blockBitmap, blockBitmapChecksum } = await volume.groups.get(group);
  const what = `the block bitmap of group ${group}`;
  const block = await volume.block(blockBitmap, what);
  const bytes = new Uint8Array(block.buffer, block.byteOffset, Math.ceil(blocksPerGroup / blocksPerCluster / 8));
  volume.verifyOnce(block, what, () => {
    if (!volume.hasChecksums) return undefined;
    const sum = asStored(chained(checksumSeed, bytes));
    const known = descriptorSize >= 64 ? sum : sum & 0xffff;
    return known === blockBitmapChecksum ? undefined : 'does not fit its checksum';
  });
  return bytes;
}

/** What is free in a group whose bitmap was never written: all but what the layout puts there. */
async function freeByLayout(volume: Ext4Volume, group: number, { start, end }: Blocks): Promise<Blocks[]> {
  const used = await usedByLayout(volume, group);
  const runs: Blocks[] = [];
  let position = start;
  for (const { start: from, end: to } of used.sort((a, b) => a.start - b.start)) {
    if (from >= end || to <= position) continue;
    if (from > position) runs.push({ start: position, end: from });
    position = to;
  }
  if (position < end) runs.push({ start: position, end });
  return runs;
}

/** Source: Linux, Documentation/filesystems/ext4/blockgroup.rst: what the bitmaps would say of the metadata. */
async function usedByLayout(volume: Ext4Volume, group: number): Promise<Blocks[]> {
  const { superblock } = volume;
  const { blocksPerGroup, firstDataBlock } = superblock;
  const start = firstDataBlock + group * blocksPerGroup;
  const before = group === 0 ? superblockBlock(superblock) - firstDataBlock : 0;
  const own = { start, end: start + before + tableBlocksIn(volume, group) };
  const around = await metadataAround(volume, group);
  const from = firstFrom(around, start - tableLengthOf(volume));
  return [own, ...around.slice(from, firstFrom(around, start + blocksPerGroup))];
}

/** Flexible groups keep the tables of several groups in one: so many groups before and behind it are looked at, too. */
const flexible = 1 << 10;
/** What `metadataAround` found last, and from which group on: groups are asked for in their order. */
const lastFound = new WeakMap<Ext4Volume, { readonly part: number; readonly used: readonly Blocks[] }>();

/** The bitmaps and inode tables of a group and of those near it, by their places. */
async function metadataAround(volume: Ext4Volume, group: number): Promise<readonly Blocks[]> {
  const part = Math.floor(group / flexible);
  const known = lastFound.get(volume);
  if (known?.part === part) return known.used;
  const length = tableLengthOf(volume);
  const used: Blocks[] = [];
  const end = Math.min(volume.superblock.groupCount, (part + 2) * flexible);
  for (let other = Math.max(0, (part - 1) * flexible); other < end; other++) {
    const { blockBitmap, inodeBitmap, inodeTable } = await volume.groups.get(other);
    used.push({ start: blockBitmap, end: blockBitmap + 1 }, { start: inodeBitmap, end: inodeBitmap + 1 });
    used.push({ start: inodeTable, end: inodeTable + length });
  }
  used.sort((a, b) => a.start - b.start);
  lastFound.set(volume, { part, used });
  return used;
}

function tableLengthOf({ superblock: { blockSize, inodeSize, inodesPerGroup } }: Ext4Volume): number {
  return Math.ceil((inodesPerGroup * inodeSize) / blockSize);
}

/** The first of some runs, by their places, that starts at `block` or behind it. */
function firstFrom(runs: readonly Blocks[], block: number): number {
  let [low, high] = [0, runs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (runs[middle]!.start < block) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** How many blocks at the start of a group hold the superblock and the table of groups, and room for it to grow. */
export function tableBlocksIn(volume: Ext4Volume, group: number): number {
  const { superblock } = volume;
  const { groupCount, descriptorSize, blockSize, firstMetaGroup, reservedTableBlocks } = superblock;
  const perBlock = blockSize / descriptorSize;
  const isMeta = Math.floor(group / perBlock) >= firstMetaGroup;
  const own = hasSuperblock(superblock, group) ? 1 : 0;
  if (isMeta) {
    const place = group % perBlock;
    return own + (place === 0 || place === 1 || place === perBlock - 1 ? 1 : 0);
  }
  const tableBlocks = Math.min(firstMetaGroup, Math.ceil(groupCount / perBlock));
  return own === 0 ? 0 : 1 + tableBlocks + reservedTableBlocks;
}
