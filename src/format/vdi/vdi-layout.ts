import { VarveError } from '../../base/varve-error.ts';
import { alignUp } from '../../bytes/align.ts';
import { newGuid, zeroGuid } from '../../bytes/guid.ts';
import type { WriteImageOptions } from '../image-format.ts';
import { type VdiHeader, vdiHeaderLength, vdiImageType } from './header.ts';

/** The only one that every program reads, in bytes. */
export const vdiBlockSize = 2 ** 20;

const sectorSize = 512;
/** Blocks start at multiples of this many bytes, as in images that VirtualBox makes. */
const dataAlignment = 2 ** 20;
/** QEMU reads no larger ones. */
const maximumBlockCount = 0x3fff_ffff;

/** Where what stands in a new image. */
export interface VdiLayout {
  readonly isStatic: boolean;
  /** Of the disk, in bytes: whole sectors. */
  readonly diskSize: number;
  readonly blockCount: number;
  readonly bmapOffset: number;
  readonly dataOffset: number;
}

/**
 * The layout for a disk of `size` bytes.
 *
 * @throws VarveError `INVALID` for options that VDI does not have, and for a disk that is too large for it
 */
export function vdiLayout(size: number, options: WriteImageOptions): VdiLayout {
  const { clusterSize = vdiBlockSize, compression = 'none' } = options;
  if (compression !== 'none')
    throw new VarveError('INVALID', 'a VDI image cannot be compressed; choose qcow2 for that');
  if (clusterSize !== vdiBlockSize) {
    throw new VarveError('INVALID', `a VDI image has blocks of 1 MiB, not of ${clusterSize} bytes`);
  }
  const diskSize = alignUp(size, sectorSize);
  const blockCount = Math.ceil(diskSize / vdiBlockSize);
  if (blockCount > maximumBlockCount) {
    throw new VarveError('INVALID', `a VDI image cannot hold a disk of ${size} bytes, only 1 PiB`);
  }
  const dataOffset = alignUp(vdiHeaderLength + blockCount * 4, dataAlignment);
  return { isStatic: isStatic(options.options), diskSize, blockCount, bmapOffset: vdiHeaderLength, dataOffset };
}

/** The header of a finished image with so many blocks that have a place. */
export function vdiHeaderFor(layout: VdiLayout, blocksAllocated: number): VdiHeader {
  return {
    imageType: layout.isStatic ? vdiImageType.static : vdiImageType.dynamic,
    description: '',
    bmapOffset: layout.bmapOffset,
    dataOffset: layout.dataOffset,
    diskSize: layout.diskSize,
    blockSize: vdiBlockSize,
    blockExtra: 0,
    blocksInImage: layout.blockCount,
    blocksAllocated,
    imageUuid: newGuid(),
    linkUuid: zeroGuid,
    parentUuid: zeroGuid,
  };
}

/** `subformat` as for other formats, and `static` as QEMU has it. */
function isStatic(options: Readonly<Record<string, string>> = {}): boolean {
  let result = false;
  for (const [option, value] of Object.entries(options)) {
    const found = meanings[`${option}=${value}`];
    if (found === undefined) {
      const known = 'subformat=dynamic, subformat=static, static=on and static=off';
      throw new VarveError('INVALID', `a VDI image has no option ${option}=${value}; there are ${known}`);
    }
    result = found;
  }
  return result;
}

const meanings: Readonly<Record<string, boolean>> = {
  'subformat=dynamic': false,
  'subformat=static': true,
  'static=off': false,
  'static=on': true,
};
