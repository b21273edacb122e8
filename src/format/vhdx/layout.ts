import { parseSize } from '../../base/size.ts';
import { VarveError } from '../../base/varve-error.ts';
import { alignUp } from '../../bytes/align.ts';
import { newGuid, zeroGuid } from '../../bytes/guid.ts';
import type { WriteImageOptions } from '../image-format.ts';
import { type BatLayout, batEntryLength, batLayout } from './bat.ts';
import { metadataItems } from './disk-parameters.ts';
import { encodeHeader, encodeIdentifier, headerPlaces, mebibyte, type VhdxHeader } from './file-header.ts';
import { encodeMetadata } from './metadata.ts';
import { encodeRegions, type Region } from './region-table.ts';

/** The sizes that follow from a new image's disk and options; in bytes. */
export interface VhdxLayout {
  readonly subformat: 'dynamic' | 'fixed';
  /** The disk's: whole sectors. */
  readonly size: number;
  readonly blockSize: number;
  readonly bat: BatLayout;
  readonly batRegion: Region;
  /** Where the first payload block is. */
  readonly firstBlock: number;
}

/** Bytes and where they go. */
export interface PlacedBytes {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

const sectorSize = 512;
const log: Region = { offset: mebibyte, length: mebibyte };
const metadata: Region = { offset: 2 * mebibyte, length: mebibyte };
const batOffset = 3 * mebibyte;
const maximumSize = 64 * 2 ** 40;
const largestBlockSize = 256 * mebibyte;

/**
 * The layout of a new image for a disk of `diskSize` bytes.
 *
 * @throws VarveError `INVALID` for a disk that is too large, and options that make no sense
 */
export function vhdxLayout(diskSize: number, options: WriteImageOptions): VhdxLayout {
  const { compression = 'none' } = options;
  const blockSize = blockSizeOf(options) ?? usualBlockSize(diskSize);
  if (compression !== 'none') throw new VarveError('INVALID', 'a VHDX cannot be compressed; choose qcow2 for that');
  if (diskSize > maximumSize) {
    throw new VarveError('INVALID', `a VHDX holds at most 64 TiB, and the disk has ${diskSize} bytes; choose qcow2`);
  }
  if (!(Number.isInteger(Math.log2(blockSize)) && blockSize >= mebibyte && blockSize <= largestBlockSize)) {
    const range = 'a power of two from 1 MiB to 256 MiB';
    throw new VarveError('INVALID', `a VHDX cannot have blocks of ${blockSize} bytes; choose ${range}`);
  }
  const size = alignUp(diskSize, sectorSize);
  const bat = batLayout(size, blockSize, sectorSize, false);
  const batLength = alignUp(Math.max(1, bat.entryCount) * batEntryLength, mebibyte);
  const batRegion = { offset: batOffset, length: batLength };
  return { subformat: subformatOf(options), size, blockSize, bat, batRegion, firstBlock: batOffset + batLength };
}

/** The sizes that qemu-img chooses: small disks take less for little data, and large ones have short tables. */
function usualBlockSize(diskSize: number): number {
  if (diskSize > 32 * 2 ** 40) return 64 * mebibyte;
  if (diskSize > 100 * 2 ** 30) return 32 * mebibyte;
  return diskSize > 2 ** 30 ? 16 * mebibyte : 8 * mebibyte;
}

/** As it is asked for, in either way; qemu-img takes 0 for its own choice. */
function blockSizeOf({ clusterSize, options = {} }: WriteImageOptions): number | undefined {
  const size = options.block_size === undefined ? clusterSize : parseSize(options.block_size);
  return size === 0 ? undefined : size;
}

function subformatOf({ options = {} }: WriteImageOptions): 'dynamic' | 'fixed' {
  const { block_size: _, subformat = 'dynamic', ...others } = options;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    throw new VarveError('INVALID', `vhdx images have no option ${unknown} here; there are subformat and block_size`);
  }
  if (subformat === 'dynamic' || subformat === 'fixed') return subformat;
  throw new VarveError('INVALID', `vhdx images have no subformat ${subformat}; choose dynamic or fixed`);
}

/** How long a file with so many payload blocks is. */
export function fileLength({ blockSize, firstBlock }: VhdxLayout, blockCount: number): number {
  return firstBlock + blockCount * blockSize;
}

/** All but the BAT and the blocks, in the order of the file; with new identities. What is between is zeros. */
export function fixedParts({ batRegion, blockSize, size, subformat }: VhdxLayout): PlacedBytes[] {
  const header: VhdxHeader = {
    sequenceNumber: 1n,
    ...{ fileWriteGuid: newGuid(), dataWriteGuid: newGuid(), logGuid: zeroGuid },
    ...{ logLength: log.length, logOffset: log.offset },
  };
  const items = metadataItems({
    ...{ blockSize, size, hasParent: false, leavesBlocksAllocated: subformat === 'fixed' },
    ...{ diskId: newGuid(), logicalSectorSize: sectorSize, physicalSectorSize: 4096 },
  });
  const regions = encodeRegions({ bat: batRegion, metadata });
  return [
    { offset: 0, bytes: encodeIdentifier('Varve') },
    { offset: headerPlaces.headers[0], bytes: encodeHeader(header) },
    { offset: headerPlaces.headers[1], bytes: encodeHeader({ ...header, sequenceNumber: 2n }) },
    { offset: headerPlaces.regionTables[0], bytes: regions },
    { offset: headerPlaces.regionTables[1], bytes: regions },
    { offset: metadata.offset, bytes: encodeMetadata(items) },
  ];
}
