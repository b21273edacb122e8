import { IntervalSet } from '../../../bytes/interval-set.ts';
import { readGroup } from '../allocation-group.ts';
import { freeIn } from '../free-space.ts';
import type { XfsVolume } from '../volume.ts';
import { blocksOfTree, type GroupTree, groupTrees, recordsOfTree } from './group-trees.ts';
import { type InodeChunk, inodeChunks } from './inode-chunks.ts';

const headSectors = 4;
const stagingBit = 2 ** 31;

/** What an allocation group holds besides the blocks of files; places are bytes of the disk. */
export interface GroupState {
  readonly chunks: readonly InodeChunk[];
  /** Heads, trees, what is kept for these, the log, and what is free. */
  readonly fixed: IntervalSet;
  readonly trees: readonly GroupTree[];
}

/** Blocks that several files have, or none that has them yet. */
export interface SharedBlocks {
  readonly offset: number;
  readonly end: number;
  readonly owners: number;
  /** They are being copied for a file that does not have them yet. */
  readonly isStaging: boolean;
}

/** @throws VarveError `CORRUPT` */
export async function readGroupState(volume: XfsVolume, group: number): Promise<GroupState> {
  const { groupBlocks, blockSize, sectorSize } = volume.superblock;
  const start = group * groupBlocks * blockSize;
  const fixed = new IntervalSet([{ offset: start, end: start + headSectors * sectorSize }]);
  const addBlock = (index: number) => fixed.add(start + index * blockSize, start + (index + 1) * blockSize);
  const { trees, kept } = await groupTrees(volume, group);
  for (const index of kept) addBlock(index);
  for (const tree of trees) for await (const { index } of blocksOfTree(volume, group, tree, false)) addBlock(index);
  for (const { start: first, count } of await freeIn(volume, group, await readGroup(volume, group))) {
    fixed.add(start + first * blockSize, start + (first + count) * blockSize);
  }
  addLog(volume, fixed);
  const tree = trees.find(({ kind }) => kind === 'inodes');
  const chunks = tree === undefined ? [] : await Array.fromAsync(inodeChunks(volume, group, tree));
  return { chunks, fixed, trees };
}

function addLog(volume: XfsVolume, fixed: IntervalSet): void {
  const { logStart, logBlocks, blockSize } = volume.superblock;
  if (logStart === 0) return;
  const offset = volume.blockAt(logStart, logBlocks, 'the log') * blockSize;
  fixed.add(offset, offset + logBlocks * blockSize);
}

/** What of a group's blocks is shared, by its tree of counts. @throws VarveError `CORRUPT` */
export async function* sharedBlocks(
  volume: XfsVolume,
  group: number,
  { trees }: GroupState,
): AsyncGenerator<SharedBlocks> {
  const { groupBlocks, blockSize } = volume.superblock;
  const tree = trees.find(({ kind }) => kind === 'counts');
  if (tree === undefined) return;
  for await (const record of recordsOfTree(volume, group, tree)) {
    const first = record.getUint32(0);
    const offset = (group * groupBlocks + (first % stagingBit)) * blockSize;
    const end = offset + record.getUint32(4) * blockSize;
    yield { offset, end, owners: record.getUint32(8), isStaging: first >= stagingBit };
  }
}
