import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import { type CacheDevice, cacheFilter } from './cache.ts';
import { ForwardingDevice } from './forwarding-device.ts';

/** How far `readAheadFilter` reads ahead. */
export interface ReadAheadOptions {
  /** At most so many bytes, a multiple of 64 KiB; 4 MiB where nothing is given. */
  readonly window?: number;
}

const blockSize = 2 ** 16;
const firstWindow = 2 * blockSize;

/**
 * Reads ahead where a device is read in order: first a little, then each time twice as much up to `window`. What was
 * fetched is kept in a cache of four such windows; other reads go through it, too.
 *
 * @throws RangeError for a window that is no multiple of 64 KiB
 */
export function readAheadFilter(device: BlockDevice, { window = 2 ** 22 }: ReadAheadOptions = {}): BlockDevice {
  if (!(window >= blockSize && window % blockSize === 0)) throw new RangeError(`a window of ${window} bytes`);
  return new ReadAheadDevice(cacheFilter(device, { blockSize, capacity: 4 * window }), window);
}

class ReadAheadDevice extends ForwardingDevice {
  readonly #cache: CacheDevice;
  readonly #maximumWindow: number;
  /** Where the next read starts if reads go on in order. */
  #next = 0;
  /** How far to look ahead; 0 until reads are in order. */
  #window = 0;
  #fetchedEnd = 0;
  #fetching: MaybePromise<void> = undefined;

  constructor(cache: CacheDevice, maximumWindow: number) {
    super(cache);
    this.#cache = cache;
    this.#maximumWindow = maximumWindow;
  }

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    const inOrder = offset === this.#next && offset > 0;
    this.#next = offset + target.length;
    if (!inOrder) {
      this.#window = 0;
      this.#fetchedEnd = 0;
    }
    const pending = this.device.read(target, offset);
    if (inOrder) this.#fetchAhead();
    return pending;
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#fetching;
    await super[Symbol.asyncDispose]();
  }

  /** One fetch at a time, and the next one when half of what was fetched is read. */
  #fetchAhead(): void {
    if (this.#fetching !== undefined) return;
    const isEnough = this.#fetchedEnd - this.#next > this.#window / 2;
    if (isEnough || this.#fetchedEnd >= this.size) return;
    this.#window = Math.min(Math.max(this.#window * 2, firstWindow), this.#maximumWindow);
    const start = Math.max(this.#fetchedEnd, this.#next);
    const end = Math.min(this.#next + this.#window, this.size);
    if (start >= end) return;
    this.#fetchedEnd = end;
    this.#fetching = this.#cache.prefetch(start, end - start)?.then(() => {
      this.#fetching = undefined;
    });
  }
}
