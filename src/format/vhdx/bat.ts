/*
 * The block allocation table: entries of 8 bytes, little-endian. After the entries of each chunk of payload blocks
 * stands one for the sector bitmap block of that chunk; in a disk without a parent it is not used.
 *
 * | bits | |
 * | --- | --- |
 * | 0–2 | State |
 * | 3–19 | reserved |
 * | 20–63 | FileOffsetMB: where the block is in the file, in MiB |
 *
 * Source: MS-VHDX, sections 2.5 and 2.5.1.
 */
import { corruptImage } from '../image-errors.ts';
import { mebibyte } from './file-header.ts';

/** The states of a payload block. */
export const blockState = {
  notPresent: 0,
  undefined: 1,
  zero: 2,
  unmapped: 3,
  /** Of version 0.95 of the specification; QEMU knows it. */
  unmappedOnce: 5,
  fullyPresent: 6,
  partiallyPresent: 7,
} as const;

/** Of an entry, in bytes. */
export const batEntryLength = 8;
/** How many sectors a sector bitmap block has bits for: it is 1 MiB long. */
export const sectorsOfBitmap = 2 ** 23;
const twoTo32 = 0x1_0000_0000;

/** How the table of a disk is laid out. */
export interface BatLayout {
  readonly blockSize: number;
  /** How many payload blocks there are between two sector bitmap blocks. */
  readonly chunkRatio: number;
  readonly blockCount: number;
  readonly entryCount: number;
}

/** The layout for a disk of `size` bytes. */
export function batLayout(size: number, blockSize: number, logicalSectorSize: number, hasParent: boolean): BatLayout {
  const chunkRatio = (sectorsOfBitmap * logicalSectorSize) / blockSize;
  const blockCount = Math.ceil(size / blockSize);
  const chunkCount = Math.ceil(blockCount / chunkRatio);
  const bitmapCount = hasParent ? chunkCount : Math.max(0, chunkCount - 1);
  const entryCount = hasParent ? chunkCount * (chunkRatio + 1) : blockCount + bitmapCount;
  return { blockSize, chunkRatio, blockCount, entryCount };
}

/** Where in the table the entry of a payload block is. */
export function payloadEntryIndex({ chunkRatio }: BatLayout, block: number): number {
  return block + Math.floor(block / chunkRatio);
}

/** Where in the table the entry of the sector bitmap block is that a payload block's bits are in. */
export function bitmapEntryIndex({ chunkRatio }: BatLayout, block: number): number {
  const chunk = Math.floor(block / chunkRatio);
  return chunk * (chunkRatio + 1) + chunkRatio;
}

/** The state in an entry at byte `position` of a part of the table. */
export function stateAt(page: DataView, position: number): number {
  return page.getUint32(position, true) & 7;
}

/**
 * The offset in an entry, in bytes.
 *
 * @throws VarveError `CORRUPT` where it is beyond what a file can have
 */
export function offsetAt(page: DataView, position: number, name: string): number {
  const high = page.getUint32(position + 4, true);
  if (high >= 2 ** 21) throw corruptImage(name, `an entry of its BAT has the FileOffsetMB ${high * 4096} or more`);
  const low = page.getUint32(position, true);
  return high * twoTo32 + low - (low % mebibyte);
}

/** Writes an entry at byte `position`; `offset` in bytes, a multiple of 1 MiB. */
export function putEntry(page: DataView, position: number, state: number, offset: number): void {
  page.setUint32(position, (offset % twoTo32) + state, true);
  page.setUint32(position + 4, Math.floor(offset / twoTo32), true);
}
