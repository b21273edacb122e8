import { alignDown } from '../../bytes/align.ts';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block-device.ts';
import { BlockFetcher, type BlockFetcherOptions, type BlockSource } from './block-fetcher.ts';

/** What a `fetchedDevice` is over. */
export interface FetchedSource extends BlockSource {
  /** Ends what is under way. */
  close(): void;
}

/** How a `fetchedDevice` fetches. */
export interface FetchedDeviceOptions extends BlockFetcherOptions {
  /** How far ahead of somebody who reads in order is read at most, in blocks; 0 for not at all. */
  readonly longestAhead: number;
}

/** A read is taken apart into pieces of this many blocks, so that what is fetched for it at a time is bounded. */
const windowBlockCount = 64;

/** A device over something slow that is read in ranges, and that belongs to it from then on. */
export function fetchedDevice(source: FetchedSource, options: FetchedDeviceOptions): BlockDevice {
  return new FetchedDevice(source, options);
}

class FetchedDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport = { write: false, trim: false, zero: false, extents: false };
  readonly #source: FetchedSource;
  readonly #fetcher: BlockFetcher;
  readonly #requestBlockCount: number;
  readonly #longestAhead: number;
  /** Where whoever reads in order goes on, in bytes. */
  #expected = 0;
  /** In blocks. */
  #ahead = 0;
  /** Up to which block was asked for ahead already. */
  #askedEnd = 0;

  constructor(source: FetchedSource, options: FetchedDeviceOptions) {
    this.size = source.size;
    this.blockSize = options.blockSize;
    this.#source = source;
    this.#fetcher = new BlockFetcher(source, options);
    this.#requestBlockCount = options.requestBlockCount;
    this.#longestAhead = options.longestAhead;
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    this.#noticeOrder(offset, target.length);
    const block = this.#fetcher.kept(Math.floor(offset / this.blockSize));
    const start = offset % this.blockSize;
    if (block === undefined || start + target.length > block.length) return this.#readBlocks(target, offset);
    target.set(block.subarray(start, start + target.length));
    this.#readAhead(offset + target.length);
  }

  write(): never {
    throw new TypeError('what is fetched is not written');
  }

  zero(): never {
    return this.write();
  }

  trim(): never {
    return this.write();
  }

  flush(): void {}

  *extents(offset: number, length: number): Generator<Extent, undefined> {
    yield { offset, length, kind: 'data' };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#source.close();
  }

  async #readBlocks(target: Uint8Array, offset: number): Promise<void> {
    const end = offset + target.length;
    for (let position = offset; position < end; ) {
      const first = Math.floor(position / this.blockSize);
      const last = Math.min(Math.ceil(end / this.blockSize), first + windowBlockCount);
      const wanted = this.#fetcher.want(first, last);
      this.#readAhead(Math.min(end, last * this.blockSize));
      for (const [index, block] of (await Promise.all(wanted)).entries()) {
        const blockStart = (first + index) * this.blockSize;
        const part = block.subarray(position - blockStart, end - blockStart);
        target.set(part, position - offset);
        position += part.length;
      }
    }
  }

  /** Requests of somebody who copies come in order by their starts, several at a time. */
  #noticeOrder(offset: number, length: number): void {
    const isInOrder = Math.abs(offset - this.#expected) <= this.blockSize;
    if (!isInOrder) this.#askedEnd = 0;
    this.#ahead = isInOrder ? Math.min(Math.max(2 * this.#ahead, 2), this.#longestAhead) : 0;
    this.#expected = offset + length;
  }

  /** In whole requests, so that there are few. */
  #readAhead(position: number): void {
    if (this.#ahead < this.#requestBlockCount) return;
    const first = Math.max(Math.ceil(position / this.blockSize), this.#askedEnd);
    const count = Math.ceil(this.size / this.blockSize);
    const furthest = Math.ceil(position / this.blockSize) + this.#ahead;
    const end = furthest >= count ? count : alignDown(furthest, this.#requestBlockCount);
    if (first >= end) return;
    this.#askedEnd = end;
    this.#fetcher.prefetch(first, end);
  }
}
