import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { DevicePages } from '../../block/device-pages.ts';
import type { BlockKind, BlockMap, BlockRun } from '../block-map.ts';
import { corruptImage } from '../image-errors.ts';
import {
  type BatLayout,
  batEntryLength,
  bitmapEntryIndex,
  blockState,
  offsetAt,
  payloadEntryIndex,
  sectorsOfBitmap,
  stateAt,
} from './bat.ts';
import { mebibyte } from './file-header.ts';

/** An opened disk. */
export interface VhdxMapOptions {
  readonly file: BlockDevice;
  readonly layout: BatLayout;
  /** Where the BAT is in the file, in bytes. */
  readonly batOffset: number;
  readonly logicalSectorSize: number;
  readonly hasParent: boolean;
  /** The image's name in errors. */
  readonly name: string;
}

const pageLength = 65536;
const entriesInPage = pageLength / batEntryLength;
const batPageCount = 128;
/** Sector bitmaps are read in pieces. */
const bitmapPageLength = 4096;
const bitmapPageCount = 1024;

/** Where the sectors of a VHDX are, by its BAT and, for blocks that are there in part, its sector bitmaps. */
export class VhdxMap implements BlockMap {
  readonly #options: VhdxMapOptions;
  readonly #bat: DevicePages;
  readonly #bitmaps: DevicePages;

  constructor(options: VhdxMapOptions) {
    const { file, name } = options;
    this.#options = options;
    this.#bat = new DevicePages({ device: file, name, capacity: batPageCount });
    this.#bitmaps = new DevicePages({ device: file, name, capacity: bitmapPageCount });
  }

  lookup(offset: number, length: number): MaybePromise<BlockRun> {
    const { layout } = this.#options;
    const index = payloadEntryIndex(layout, Math.floor(offset / layout.blockSize));
    const page = this.#pageOf(index);
    if (!(page instanceof Promise)) return this.#runIn(page, index, offset, length);
    return page.then((loaded) => this.#runIn(loaded, index, offset, length));
  }

  /** The part of the BAT that an entry is in. */
  #pageOf(index: number): MaybePromise<DataView> {
    const { batOffset, layout } = this.#options;
    const first = index - (index % entriesInPage);
    const count = Math.min(entriesInPage, layout.entryCount - first);
    return this.#bat.get(batOffset + first * batEntryLength, count * batEntryLength, 'BAT');
  }

  #runIn(page: DataView, index: number, offset: number, length: number): MaybePromise<BlockRun> {
    const position = (index % entriesInPage) * batEntryLength;
    const state = stateAt(page, position);
    if (state === blockState.partiallyPresent) return this.#partialRun(page, index, offset, length);
    const { blockSize } = this.#options.layout;
    const kind = this.#kindOf(state, offset);
    const place = kind === 'data' ? offsetAt(page, position, this.#options.name) : 0;
    const count = this.#alikeCount(page, index, offset, length, kind, place);
    const inBlock = offset % blockSize;
    const runLength = Math.min(length, count * blockSize - inBlock);
    if (kind !== 'data') return { kind, length: runLength, hostOffset: 0 };
    this.#checkPlace(offset, place, inBlock + runLength);
    return { kind, length: runLength, hostOffset: place + inBlock };
  }

  /** How many blocks from that of the entry `index` on are of one kind, in one piece, as far as the page goes. */
  #alikeCount(page: DataView, index: number, offset: number, length: number, kind: BlockKind, place: number): number {
    const { layout, name } = this.#options;
    const { blockSize } = layout;
    const pageStart = index - (index % entriesInPage);
    const block = Math.floor(offset / blockSize);
    const wanted = Math.ceil((offset + length) / blockSize) - block;
    for (let count = 1; count < wanted; count += 1) {
      const position = (payloadEntryIndex(layout, block + count) - pageStart) * batEntryLength;
      if (position >= page.byteLength) return count;
      const state = stateAt(page, position);
      if (state === blockState.partiallyPresent || this.#kindOf(state, offset + count * blockSize) !== kind)
        return count;
      if (kind === 'data' && offsetAt(page, position, name) !== place + count * blockSize) return count;
    }
    return wanted;
  }

  #kindOf(state: number, offset: number): BlockKind {
    const { hasParent, name } = this.#options;
    if (state === blockState.fullyPresent) return 'data';
    if (state === blockState.notPresent) return hasParent ? 'backing' : 'hole';
    if (state === blockState.zero) return 'zero';
    if (state === blockState.undefined || state === blockState.unmapped || state === blockState.unmappedOnce) {
      // What they held counts for nothing any more, and neither does what the parent holds.
      return hasParent ? 'zero' : 'hole';
    }
    throw corruptImage(name, `the block of disk byte ${offset} has the State ${state}, which there is not`);
  }

  #partialRun(page: DataView, index: number, offset: number, length: number): MaybePromise<BlockRun> {
    const { hasParent, layout, name } = this.#options;
    if (!hasParent) {
      throw corruptImage(name, `the block of disk byte ${offset} is there in part, and the disk has no parent`);
    }
    const place = offsetAt(page, (index % entriesInPage) * batEntryLength, name);
    const bitmapIndex = bitmapEntryIndex(layout, Math.floor(offset / layout.blockSize));
    return chain(this.#pageOf(bitmapIndex), (bitmapPage) => {
      const position = (bitmapIndex % entriesInPage) * batEntryLength;
      if (stateAt(bitmapPage, position) !== blockState.fullyPresent) {
        throw corruptImage(name, `the block of disk byte ${offset} is there in part, and has no sector bitmap`);
      }
      return this.#runByBitmap(offsetAt(bitmapPage, position, name), place, offset, length);
    });
  }

  /** The run of sectors alike, by the bitmap of their chunk: the lowest bit of its first byte is the first sector's. */
  #runByBitmap(bitmapOffset: number, place: number, offset: number, length: number): MaybePromise<BlockRun> {
    const { layout, logicalSectorSize } = this.#options;
    const sector = Math.floor(offset / logicalSectorSize) % sectorsOfBitmap;
    const pageStart = Math.floor(sector / 8 / bitmapPageLength) * bitmapPageLength;
    this.#checkPlace(offset, bitmapOffset, mebibyte);
    return chain(this.#bitmaps.get(bitmapOffset + pageStart, bitmapPageLength, 'sector bitmap'), (page) => {
      const first = sector - pageStart * 8;
      const inSector = offset % logicalSectorSize;
      const inBlock = offset % layout.blockSize;
      const end = first + Math.ceil((inSector + Math.min(length, layout.blockSize - inBlock)) / logicalSectorSize);
      const isThere = hasBit(page, first);
      const next = endOfRun(page, first, Math.min(end, bitmapPageLength * 8), isThere);
      const runLength = Math.min(length, layout.blockSize - inBlock, (next - first) * logicalSectorSize - inSector);
      if (!isThere) return { kind: 'backing', length: runLength, hostOffset: 0 };
      this.#checkPlace(offset, place, inBlock + runLength);
      return { kind: 'data', length: runLength, hostOffset: place + inBlock };
    });
  }

  #checkPlace(offset: number, place: number, length: number): void {
    const { file, name } = this.#options;
    if (place >= mebibyte && place + length <= file.size) return;
    const where = `byte ${place} of the file, which has ${file.size}`;
    throw corruptImage(name, `the block of disk byte ${offset} cannot be at ${where}`);
  }
}

/** Goes on at once where the value is there already. */
function chain<T, U>(value: MaybePromise<T>, next: (value: T) => MaybePromise<U>): MaybePromise<U> {
  return value instanceof Promise ? value.then(next) : next(value);
}

function hasBit(page: DataView, bit: number): boolean {
  return ((page.getUint8(bit >>> 3) >>> (bit & 7)) & 1) === 1;
}

/** The first bit from `first` on, before `end`, that is not as `isSet` has it. */
function endOfRun(page: DataView, first: number, end: number, isSet: boolean): number {
  const alike = isSet ? 0xff : 0;
  let next = first + 1;
  while (next < end) {
    if (next % 8 === 0 && page.getUint8(next / 8) === alike) next += 8;
    else if (hasBit(page, next) === isSet) next += 1;
    else break;
  }
  return Math.min(next, end);
}
