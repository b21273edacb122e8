import type { FileSystemUsage } from '../file-system.ts';
import { freeRangesOf, tableBlocksIn } from './free-space.ts';
import { incompat, type Superblock } from './superblock.ts';
import type { Ext4Volume } from './volume.ts';

/** Linux keeps so many clusters back for extents, or a fiftieth of all where that is less. Source: fs/ext4/super.c, s_resv_clusters. */
const mostKept = 4096;
const keptPart = 50;

/** How much is in use, as statfs(2) counts it. @throws VarveError `CORRUPT` */
export async function usageOf(volume: Ext4Volume): Promise<FileSystemUsage> {
  const { blockCount, blockSize, blocksPerCluster, firstDataBlock, ...superblock } = volume.superblock;
  let free = 0;
  for await (const { length } of freeRangesOf(volume)) free += length;
  const hasExtents = (superblock.incompat & incompat.extents) !== 0;
  const kept = hasExtents ? Math.min(Math.floor(blockCount / blocksPerCluster / keptPart), mostKept) : 0;
  return {
    ...{ size: (blockCount - firstDataBlock) * blockSize, free },
    overhead: (await overheadOf(volume)) * blockSize,
    reserved: (superblock.reservedBlockCount + kept * blocksPerCluster) * blockSize,
    inodes: { count: superblock.inodeCount, free: superblock.freeInodeCount },
  };
}

/** How many of the blocks from the first data block on are the file system's own from the start on. */
async function overheadOf(volume: Ext4Volume): Promise<number> {
  const { superblock } = volume;
  const { blocksPerCluster, firstDataBlock, groupCount, overheadClusters } = superblock;
  if (overheadClusters > 0) return Math.max(0, overheadClusters * blocksPerCluster - firstDataBlock);
  let blocks = groupCount * (2 + inodeTableBlocks(superblock));
  for (let group = 0; group < groupCount; group++) blocks += tableBlocksIn(volume, group);
  return blocks + (await journalBlocks(volume));
}

function inodeTableBlocks({ blockSize, inodeSize, inodesPerGroup }: Superblock): number {
  return Math.ceil((inodesPerGroup * inodeSize) / blockSize);
}

async function journalBlocks(volume: Ext4Volume): Promise<number> {
  const { blockSize, journalInode } = volume.superblock;
  return journalInode === 0 ? 0 : Math.ceil((await volume.inode(journalInode)).stat.size / blockSize);
}
