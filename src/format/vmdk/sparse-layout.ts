import { corruptImage } from '../image-errors.ts';

/** What all offsets and lengths of the format count, in bytes. */
export const sectorSize = 512;

/** Where the parts of a sparse extent are, whatever its header looks like; all but counts in bytes. */
export interface SparseLayout {
  /** What it holds of the disk. */
  readonly capacity: number;
  /** Disk bytes of one grain table entry, a power of two. */
  readonly grainSize: number;
  readonly entriesPerTable: number;
  readonly directoryOffset: number;
  /** Of a second copy of the directory, with tables of its own. */
  readonly redundantDirectoryOffset: number | undefined;
  /** Whether grains are stored compressed. */
  readonly compressed: boolean;
  /** Whether each compressed grain tells its length, and every table is announced. */
  readonly hasMarkers: boolean;
  /** Whether the entry 1 stands for a grain of zeros. */
  readonly hasZeroedGrains: boolean;
}

/** Disk bytes of one grain table. */
export function tableCoverage({ entriesPerTable, grainSize }: SparseLayout): number {
  return entriesPerTable * grainSize;
}

/** How many grain tables the whole capacity has. */
export function tableCount(layout: SparseLayout): number {
  return Math.ceil(layout.capacity / tableCoverage(layout));
}

const maximumGrainSize = 2 ** 30;
/** A grain that is unpacked has to be in memory. */
const maximumCompressedGrainSize = 16 * 2 ** 20;
/** The directory is kept in memory; so many tables are 64 TiB of disk, more than VMware's products have. */
export const maximumTableCount = 2 * 2 ** 20;

/** @throws VarveError `CORRUPT` for a layout that cannot be */
export function checkLayout(layout: SparseLayout, name: string): void {
  const { capacity, compressed, grainSize } = layout;
  if (!Number.isSafeInteger(capacity)) throw corruptImage(name, `a capacity of ${capacity} bytes cannot be`);
  const maximum = compressed ? maximumCompressedGrainSize : maximumGrainSize;
  const isPowerOfTwo = grainSize > 0 && Number.isInteger(Math.log2(grainSize));
  if (!isPowerOfTwo || grainSize < sectorSize || grainSize > maximum) {
    const sectors = `a power of two of sectors, at most ${maximum / sectorSize}`;
    throw corruptImage(name, `grainSize is ${grainSize / sectorSize}, and has to be ${sectors}`);
  }
  if (tableCount(layout) > maximumTableCount) {
    throw corruptImage(name, `its capacity of ${capacity} bytes takes ${tableCount(layout)} grain tables, too many`);
  }
}
