import { VarveError } from '../../base/varve-error.ts';
import { alignUp } from '../../bytes/align.ts';
import { newGuid } from '../../bytes/guid.ts';
import type { WriteImageOptions } from '../image-format.ts';
import { bitmapLengthFor } from './dynamic-map.ts';
import { footerLength, type VhdFooter } from './footer.ts';
import { geometryFor } from './geometry.ts';

/** The sizes that follow from a new image's disk and options; all in bytes. */
export interface VhdLayout {
  readonly subformat: 'dynamic' | 'fixed';
  /** The disk's: whole sectors. */
  readonly size: number;
  readonly blockSize: number;
  readonly blockCount: number;
  readonly bitmapLength: number;
  /** Of the block allocation table. */
  readonly tableOffset: number;
  readonly tableLength: number;
  /** From one block's bitmap to the next one's. */
  readonly stride: number;
  /** Where the first block's bitmap is: its data starts at a multiple of 4096. */
  readonly firstBlock: number;
}

const sectorSize = 512;
const defaultBlockSize = 2 * 2 ** 20;
const smallestBlockSize = 512 * 1024;
const largestBlockSize = 256 * 2 ** 20;
/** Sector numbers have 32 bits, and blocks have bitmaps. */
const maximumSize = 2040 * 2 ** 30;
const dataAlignment = 4096;

/** Where the copy of the footer ends, and the dynamic disk header starts. */
export const dynamicHeaderOffset = footerLength;

/**
 * The layout of a new image for a disk of `diskSize` bytes.
 *
 * @throws VarveError `INVALID` for a disk that is too large, and options that make no sense
 */
export function vhdLayout(diskSize: number, options: WriteImageOptions): VhdLayout {
  const { clusterSize: blockSize = defaultBlockSize, compression = 'none' } = options;
  if (compression !== 'none') throw new VarveError('INVALID', 'a VHD cannot be compressed; choose qcow2 for that');
  if (diskSize > maximumSize) {
    throw new VarveError('INVALID', `a VHD holds at most 2040 GiB, and the disk has ${diskSize} bytes; choose vhdx`);
  }
  if (!(Number.isInteger(Math.log2(blockSize)) && blockSize >= smallestBlockSize && blockSize <= largestBlockSize)) {
    const range = 'a power of two from 512 KiB to 256 MiB';
    throw new VarveError('INVALID', `a VHD cannot have blocks of ${blockSize} bytes; choose ${range}`);
  }
  const size = alignUp(diskSize, sectorSize);
  const blockCount = Math.ceil(size / blockSize);
  const bitmapLength = bitmapLengthFor(blockSize);
  const tableOffset = 3 * sectorSize;
  const tableLength = alignUp(Math.max(1, blockCount) * 4, sectorSize);
  return {
    subformat: subformatOf(options),
    ...{ size, blockSize, blockCount, bitmapLength, tableOffset, tableLength },
    stride: alignUp(bitmapLength + blockSize, dataAlignment),
    firstBlock: alignUp(tableOffset + tableLength + bitmapLength, dataAlignment) - bitmapLength,
  };
}

function subformatOf({ clusterSize, options = {} }: WriteImageOptions): 'dynamic' | 'fixed' {
  const { force_size: forceSize = 'on', subformat = 'dynamic', ...others } = options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new VarveError('INVALID', `vpc images have no option ${unknown}; there are subformat and force_size`);
  }
  if (forceSize !== 'on') {
    throw new VarveError('INVALID', `force_size=${forceSize} is not done here: a disk keeps its size; leave it out`);
  }
  if (subformat !== 'dynamic' && subformat !== 'fixed') {
    throw new VarveError('INVALID', `vpc images have no subformat ${subformat}; choose dynamic or fixed`);
  }
  if (subformat === 'fixed' && clusterSize !== undefined) {
    throw new VarveError('INVALID', 'a fixed VHD has no blocks to choose the size of');
  }
  return subformat;
}

/**
 * Where the footer goes behind `count` blocks: right behind the last one, or the table, because that is where others
 * put the next block, and all but its first sector has to be zeros there.
 */
export function footerOffset(
  { bitmapLength, blockSize, firstBlock, stride, ...layout }: VhdLayout,
  count: number,
): number {
  if (count === 0) return layout.tableOffset + layout.tableLength;
  return firstBlock + (count - 1) * stride + bitmapLength + blockSize;
}

/** Midnight on 2000-01-01 UTC, in milliseconds since 1970. */
const epochMs = 946_684_800_000;

/** The footer of a new image. Its creator is one whose disks everybody takes to have their Current Size. */
export function newFooter({ size, subformat }: VhdLayout): VhdFooter {
  return {
    dataOffset: subformat === 'fixed' ? undefined : dynamicHeaderOffset,
    timestamp: Math.floor((Date.now() - epochMs) / 1000),
    creatorApplication: 'qem2',
    currentSize: size,
    geometry: geometryFor(size),
    type: subformat,
    uniqueId: newGuid(),
  };
}
