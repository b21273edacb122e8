/*
 * An extent of a fork: 128 bits, big-endian, from the highest on: 1 bit whether it was never written, 54 bits the first
 * block of the fork, 52 bits the first block of the disk, with its allocation group, 21 bits how many blocks.
 *
 * Source: XFS Algorithms & Data Structures, "Data Extents".
 */
import type { XfsVolume } from './volume.ts';

/** Its length, in bytes. */
export const recordLength = 16;

/** Files have fewer blocks than this: 2^63 bytes in the smallest of blocks. */
export const lastBlock = 2 ** 54;

/** An extent as it is stored. */
interface ExtentRecord {
  /** Its first block in the fork. */
  readonly index: number;
  /** The number of its first block on the disk, with the group in the upper bits. */
  readonly start: number;
  readonly count: number;
  readonly isWritten: boolean;
}

/** The extent at byte `offset`. */
export function recordAt(view: DataView, offset: number): ExtentRecord {
  const [second, fourth] = [view.getUint32(offset + 4), view.getUint32(offset + 12)];
  return {
    index: recordIndex(view, offset),
    start: (second & 0x1ff) * 2 ** 43 + view.getUint32(offset + 8) * 2 ** 11 + (fourth >>> 21),
    count: fourth & 0x1f_ffff,
    isWritten: view.getUint32(offset) >>> 31 === 0,
  };
}

/** The first block in the fork of the extent at byte `offset`. */
export function recordIndex(view: DataView, offset: number): number {
  return (view.getUint32(offset) & 0x7fff_ffff) * 2 ** 23 + (view.getUint32(offset + 4) >>> 9);
}

/** What is wrong with `count` extents from byte `offset` on, if anything is: they are in order and do not overlap. */
export function recordsProblem(view: DataView, offset: number, count: number): string | undefined {
  let end = 0;
  for (let place = offset; place < offset + count * recordLength; place += recordLength) {
    const record = recordAt(view, place);
    if (record.count === 0) return `has an extent of no blocks at byte ${place}`;
    if (record.index < end) return `has an extent at byte ${place} that begins before the end of the last one`;
    end = record.index + record.count;
  }
  return end <= lastBlock ? undefined : `has an extent that ends at block ${end} of the file`;
}

/** Where an extent is, checked: its first block, counted from the start of the disk. @throws VarveError `CORRUPT` */
export function placeOf(volume: XfsVolume, { start, count, index }: ExtentRecord, what: string): number {
  return volume.blockAt(start, count, `the extent at block ${index} in ${what}`);
}
