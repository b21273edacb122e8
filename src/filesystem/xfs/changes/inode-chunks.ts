/*
 * A record of a group's tree of inodes: 16 bytes, big-endian, for 64 inodes.
 *
 *   byte   0  ir_startino, in the group     4  ir_holemask (16 bit): a bit for each 4 inodes that are not there
 *          8  ir_free (64 bit): a bit for each inode that is not in use, the first one the lowest
 *
 * Without sparse inodes bytes 4 to 7 are a count, of at most 64.
 *
 * Source: XFS Algorithms & Data Structures, "Inode B+tree Records" and "Sparse Inodes".
 */
import type { XfsVolume } from '../volume.ts';
import { type GroupTree, recordsOfTree } from './group-trees.ts';

const inodesPerChunk = 64;
const inodesPerHole = 4;

/** A run of inodes that are there. Places are bytes of the disk. */
export interface InodeChunk {
  /** The number of the first one. */
  readonly first: number;
  readonly count: number;
  readonly offset: number;
  readonly end: number;
  /** A bit for each, 1 where it is not in use. */
  readonly free: bigint;
}

/** The inodes of a group. @throws VarveError `CORRUPT` */
export async function* inodeChunks(volume: XfsVolume, group: number, tree: GroupTree): AsyncGenerator<InodeChunk> {
  const { inodeBits, groupBlockBits, blockSize, inodeSize, hasSparseInodes } = volume.superblock;
  for await (const record of recordsOfTree(volume, group, tree)) {
    const start = record.getUint32(0);
    const holes = hasSparseInodes ? record.getUint16(4) : 0;
    const free = record.getBigUint64(8);
    for (let index = 0; index < inodesPerChunk; ) {
      const isHole = (at: number) => (holes & (1 << (at / inodesPerHole))) !== 0;
      let end = index + inodesPerHole;
      while (end < inodesPerChunk && isHole(end) === isHole(index)) end += inodesPerHole;
      if (!isHole(index)) {
        const what = `inodes ${start + index} of allocation group ${group}`;
        const blocks = Math.ceil(((end - index) * inodeSize) / blockSize);
        const inGroup = (start + index) / 2 ** inodeBits;
        const block = volume.blockInGroup(group, Math.floor(inGroup), { count: blocks, what });
        const offset = block * blockSize + (inGroup % 1) * blockSize;
        const first = group * 2 ** (groupBlockBits + inodeBits) + start + index;
        yield {
          first,
          count: end - index,
          offset,
          end: offset + (end - index) * inodeSize,
          free: BigInt.asUintN(end - index, free >> BigInt(index)),
        };
      }
      index = end;
    }
  }
}

/** Whether an inode of a chunk is in use. */
export function isUsed({ first, free }: InodeChunk, number: number): boolean {
  return ((free >> BigInt(number - first)) & 1n) === 0n;
}
