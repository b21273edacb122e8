import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { DevicePages } from '../../block/device-pages.ts';
import { alignUp } from '../../bytes/align.ts';
import type { BlockKind, BlockMap, BlockRun } from '../block-map.ts';
import { corruptImage } from '../image-errors.ts';
import type { DynamicHeader } from './dynamic-header.ts';

/** An opened disk that is not fixed. */
export interface DynamicMapOptions {
  readonly file: BlockDevice;
  readonly header: DynamicHeader;
  /** Of the disk, in bytes. */
  readonly size: number;
  /** What sectors are that were never written: `backing` in a differencing disk. */
  readonly absent: 'hole' | 'backing';
  /** The image's name in errors. */
  readonly name: string;
}

/** An entry of the block allocation table for a block that is not there. */
export const unallocated = 0xffff_ffff;
const sectorSize = 512;
const pageLength = 65536;
const entriesInPage = pageLength / 4;
const tablePageCount = 64;
const maximumBitmapsLength = 4 * 2 ** 20;

/** How many bytes the bitmap before a block's data takes. */
export function bitmapLengthFor(blockSize: number): number {
  return alignUp(Math.ceil(blockSize / sectorSize / 8), sectorSize);
}

/**
 * Where the sectors of a dynamic or differencing disk are: an entry of the block allocation table points to a block's
 * bitmap, a bit a sector with the most significant first, behind which its data is. A sector whose bit is clear was
 * never written.
 */
export class DynamicMap implements BlockMap {
  readonly #options: DynamicMapOptions;
  readonly #bitmapLength: number;
  readonly #blockCount: number;
  readonly #table: DevicePages;
  readonly #bitmaps: DevicePages;

  constructor(options: DynamicMapOptions) {
    const { file, header, name, size } = options;
    this.#options = options;
    this.#bitmapLength = bitmapLengthFor(header.blockSize);
    this.#blockCount = Math.ceil(size / header.blockSize);
    this.#table = new DevicePages({ device: file, name, capacity: tablePageCount });
    const bitmapCount = Math.max(1, Math.floor(maximumBitmapsLength / this.#bitmapLength));
    this.#bitmaps = new DevicePages({ device: file, name, capacity: bitmapCount });
  }

  lookup(offset: number, length: number): MaybePromise<BlockRun> {
    const { header } = this.#options;
    const pageIndex = Math.floor(Math.floor(offset / header.blockSize) / entriesInPage);
    const entries = Math.min(entriesInPage, this.#blockCount - pageIndex * entriesInPage);
    const page = this.#table.get(header.tableOffset + pageIndex * pageLength, entries * 4, 'block allocation table');
    if (!(page instanceof Promise)) return this.#runIn(page, offset, length);
    return page.then((loaded) => this.#runIn(loaded, offset, length));
  }

  #runIn(page: DataView, offset: number, length: number): MaybePromise<BlockRun> {
    const { blockSize } = this.#options.header;
    const block = Math.floor(offset / blockSize);
    const sector = page.getUint32((block % entriesInPage) * 4);
    if (sector === unallocated) return this.#absentRun(page, offset, length, block);
    const bitmap = this.#bitmaps.get(sector * sectorSize, this.#bitmapLength, `bitmap of block ${block}`);
    if (!(bitmap instanceof Promise)) return this.#runOfBlock(bitmap, sector, offset, length);
    return bitmap.then((loaded) => this.#runOfBlock(loaded, sector, offset, length));
  }

  /** Goes over as many entries of the page as are unallocated, so that a sparse disk is quick. */
  #absentRun(page: DataView, offset: number, length: number, block: number): BlockRun {
    const { absent, header } = this.#options;
    const entries = page.byteLength / 4;
    let end = (block + 1) * header.blockSize;
    for (let next = (block % entriesInPage) + 1; end < offset + length && next < entries; next += 1) {
      if (page.getUint32(next * 4) !== unallocated) break;
      end += header.blockSize;
    }
    return { kind: absent, length: Math.min(length, end - offset), hostOffset: 0 };
  }

  #runOfBlock(bitmap: DataView, sector: number, offset: number, length: number): BlockRun {
    const { absent, header } = this.#options;
    const inBlock = offset % header.blockSize;
    const end = Math.min(header.blockSize, inBlock + length);
    const first = Math.floor(inBlock / sectorSize);
    const isThere = hasBit(bitmap, first);
    let next = first + 1;
    // Hot: eight sectors at once where all are alike.
    const alike = isThere ? 0xff : 0;
    while (next * sectorSize < end) {
      if (next % 8 === 0 && bitmap.getUint8(next / 8) === alike) next += 8;
      else if (hasBit(bitmap, next) === isThere) next += 1;
      else break;
    }
    const runLength = Math.min(end, next * sectorSize) - inBlock;
    const kind: BlockKind = isThere ? 'data' : absent;
    const hostOffset = isThere ? sector * sectorSize + this.#bitmapLength + inBlock : 0;
    if (isThere) this.#checkInFile(offset, hostOffset, runLength);
    return { kind, length: runLength, hostOffset };
  }

  #checkInFile(offset: number, hostOffset: number, length: number): void {
    const { file, name } = this.#options;
    if (hostOffset + length <= file.size) return;
    const where = `at byte ${hostOffset} of the file, lies past its end, which is at ${file.size}`;
    throw corruptImage(name, `the block of disk byte ${offset}, ${where}`);
  }
}

/** Whether a sector's bit is set; the first one's is the highest of the first byte. */
function hasBit(bitmap: DataView, sector: number): boolean {
  return ((bitmap.getUint8(sector >>> 3) >>> (7 - (sector & 7))) & 1) === 1;
}
