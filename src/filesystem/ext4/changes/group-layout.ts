import { IntervalSet } from '../../../bytes/interval-set.ts';
import { tableBlocksIn } from '../free-space.ts';
import { superblockBlock } from '../group-descriptors.ts';
import type { Ext4Volume } from '../volume.ts';

/** Where a group's table of inodes is; in bytes. */
export interface InodeTable {
  readonly group: number;
  readonly offset: number;
  readonly end: number;
}

/** Where a file system keeps what belongs to no file, in bytes. */
export interface GroupLayout {
  readonly tables: readonly InodeTable[];
  /** Superblocks, descriptors of groups and bitmaps. */
  readonly fixed: IntervalSet;
}

/** The layout that two states have; undefined where it is not the same. @throws VarveError `CORRUPT` */
export async function commonLayout(a: Ext4Volume, b: Ext4Volume): Promise<GroupLayout | undefined> {
  if (!haveSameShape(a, b)) return undefined;
  const { blockSize, blocksPerGroup, firstDataBlock, groupCount, inodesPerGroup, inodeSize } = a.superblock;
  const tableLength = Math.ceil((inodesPerGroup * inodeSize) / blockSize) * blockSize;
  const fixed = new IntervalSet([{ offset: 0, end: superblockBlock(a.superblock) * blockSize }]);
  const tables: InodeTable[] = [];
  for (let group = 0; group < groupCount; group++) {
    const descriptor = await a.groups.get(group);
    const other = await b.groups.get(group);
    const places = [descriptor.blockBitmap, descriptor.inodeBitmap, descriptor.inodeTable];
    if ([other.blockBitmap, other.inodeBitmap, other.inodeTable].some((place, index) => place !== places[index])) {
      return undefined;
    }
    const start = (firstDataBlock + group * blocksPerGroup) * blockSize;
    const before = group === 0 ? superblockBlock(a.superblock) - firstDataBlock : 0;
    fixed.add(start, start + (before + tableBlocksIn(a, group)) * blockSize);
    for (const block of places.slice(0, 2)) fixed.add(block * blockSize, (block + 1) * blockSize);
    const offset = descriptor.inodeTable * blockSize;
    tables.push({ group, offset, end: offset + tableLength });
  }
  return { tables, fixed };
}

function haveSameShape({ superblock: a }: Ext4Volume, { superblock: b }: Ext4Volume): boolean {
  const fields = [
    ...(['blockCount', 'inodeCount', 'blockSize', 'firstDataBlock', 'blocksPerGroup', 'inodesPerGroup'] as const),
    ...(['inodeSize', 'descriptorSize', 'blocksPerCluster', 'firstMetaGroup', 'reservedTableBlocks'] as const),
    ...(['journalInode', 'checksumSeed'] as const),
  ];
  return (
    fields.every((field) => a[field] === b[field]) &&
    a.hiddenInodes.join() === b.hiddenInodes.join() &&
    Buffer.compare(a.uuid, b.uuid) === 0
  );
}
