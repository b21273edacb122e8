/*
 * The blocks of a file without extents, 15 numbers of 32 bits, little-endian: 12 blocks of the file, then one that holds
 * the numbers of the next ones, one that holds the numbers of such blocks, and one a level above. 0 is a hole.
 *
 * Source: Linux, Documentation/filesystems/ext4/ifork.rst, "Direct/Indirect Block Addressing".
 */
import type { BlockRun } from '../block-run.ts';
import type { Inode } from './inode.ts';
import type { Ext4Volume } from './volume.ts';

const directCount = 12;

/** The run of blocks from block `index` of a file on, at most `count` of them. @throws VarveError `CORRUPT` */
export async function findMapped(volume: Ext4Volume, inode: Inode, index: number, count: number): Promise<BlockRun> {
  const perBlock = volume.superblock.blockSize / 4;
  const { blockArea } = inode;
  const numbers = new DataView(blockArea.buffer, blockArea.byteOffset, blockArea.length);
  if (index < directCount) return runOf(volume, inode, numbers, { index, end: Math.min(directCount, index + count) });
  let rest = index - directCount;
  for (let level = 1; level <= 3; level++) {
    const covered = perBlock ** level;
    if (rest < covered) {
      const top = numbers.getUint32((directCount + level - 1) * 4, true);
      return await findBelow(volume, inode, { block: top, level, index: rest, count });
    }
    rest -= covered;
  }
  return { kind: 'hole', block: 0, count };
}

interface Below {
  readonly block: number;
  readonly level: number;
  /** Which block, counted from the first one below `block`. */
  readonly index: number;
  readonly count: number;
}

async function findBelow(volume: Ext4Volume, inode: Inode, { block, level, index, count }: Below): Promise<BlockRun> {
  const perBlock = volume.superblock.blockSize / 4;
  const covered = perBlock ** level;
  if (block === 0) return { kind: 'hole', block: 0, count: Math.min(count, covered - index) };
  const numbers = await volume.block(block, `a block of numbers of inode ${inode.number}`);
  if (level === 1) return runOf(volume, inode, numbers, { index, end: Math.min(perBlock, index + count) });
  const below = perBlock ** (level - 1);
  const next = numbers.getUint32(Math.floor(index / below) * 4, true);
  return await findBelow(volume, inode, { block: next, level: level - 1, index: index % below, count });
}

function runOf(
  volume: Ext4Volume,
  inode: Inode,
  numbers: DataView,
  { index, end }: { readonly index: number; readonly end: number },
): BlockRun {
  const first = numbers.getUint32(index * 4, true);
  let count = 1;
  while (index + count < end && numbers.getUint32((index + count) * 4, true) === (first === 0 ? 0 : first + count)) {
    count += 1;
  }
  if (first === 0) return { kind: 'hole', block: 0, count };
  volume.checkRange(first, count, `content of inode ${inode.number}`);
  return { kind: 'data', block: first, count };
}

/** Every block that an inode without extents has, past its size too, and those that hold numbers. @throws VarveError `CORRUPT` */
export async function* blocksOfNumbers(volume: Ext4Volume, inode: Inode): AsyncGenerator<BlockRun> {
  const { blockArea } = inode;
  const numbers = new DataView(blockArea.buffer, blockArea.byteOffset, blockArea.length);
  const pending: { block: number; level: number }[] = [];
  const seen = new Set<number>();
  const take = (block: number, level: number) => {
    if (block === 0) return [];
    volume.checkRange(block, 1, `content of inode ${inode.number}`);
    if (level > 0) pending.push({ block, level });
    return [{ kind: 'data', block, count: 1 } as const];
  };
  for (let index = 0; index < directCount + 3; index++) {
    yield* take(numbers.getUint32(index * 4, true), Math.max(0, index - directCount + 1));
  }
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (seen.has(next.block)) throw volume.corrupt(`block ${next.block} holds numbers of inode ${inode.number} twice`);
    seen.add(next.block);
    const below = await volume.block(next.block, `a block of numbers of inode ${inode.number}`);
    for (let at = 0; at < below.byteLength; at += 4) yield* take(below.getUint32(at, true), next.level - 1);
  }
}
