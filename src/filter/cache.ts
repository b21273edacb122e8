import { LruMap } from '../base/lru.ts';
import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import { runSteps, type Steps } from '../block/run-steps.ts';
import { ForwardingDevice } from './forwarding-device.ts';

/** How much one read of the wrapped device fetches at most, in bytes, where blocks are no larger. */
const maximumLoadLength = 2 ** 20;

/** How much `cacheFilter` keeps. */
export interface CacheOptions {
  /** What is fetched and kept as one, in bytes, a power of two; 64 KiB where nothing is given. */
  readonly blockSize?: number;
  /** How much is kept, in bytes, at least one block; 64 MiB where nothing is given. */
  readonly capacity?: number;
}

/** What a cache was asked for, in blocks; it goes on counting. */
export interface CacheStats {
  /** Found in the cache. */
  readonly hitCount: number;
  /** Fetched. */
  readonly missCount: number;
  /** Not found, and being fetched for another read already. */
  readonly sharedCount: number;
}

/** A device that remembers what was read. */
export interface CacheDevice extends BlockDevice {
  readonly stats: CacheStats;
  /**
   * Fetches what is not there yet of a range, in bytes, all of it at the same time. It does not fail: what cannot be
   * fetched is not there when it is read.
   */
  prefetch(offset: number, length: number): MaybePromise<void>;
  /** Forgets a range, in bytes, or everything: somebody changed the wrapped device behind the cache's back. */
  invalidate(offset?: number, length?: number): void;
}

/**
 * Keeps what was read of a device, the least recently used goes first. Writes go through at once. A block that
 * several reads want at the same time is fetched once.
 *
 * @throws RangeError for a block size or capacity that cannot be
 */
export function cacheFilter(device: BlockDevice, options: CacheOptions = {}): CacheDevice {
  const { blockSize = 2 ** 16, capacity = 2 ** 26 } = options;
  if (!(Number.isInteger(Math.log2(blockSize)) && blockSize >= 1)) throw new RangeError(`blocks of ${blockSize} bytes`);
  if (!(capacity >= blockSize)) throw new RangeError(`a cache of ${capacity} bytes for blocks of ${blockSize}`);
  return new CachingDevice(device, blockSize, capacity);
}

/** Some neighbouring blocks that are being fetched. */
class Load {
  /** Where the first of them starts, in bytes. */
  readonly offset: number;
  readonly bytes: Uint8Array;
  done: MaybePromise<void> = undefined;
  /** Something was written there meanwhile: those who wait may have it, since they asked before, nobody else. */
  isStale = false;

  constructor(offset: number, length: number) {
    this.offset = offset;
    this.bytes = new Uint8Array(length);
  }
}

class CachingDevice extends ForwardingDevice implements CacheDevice {
  readonly stats = { hitCount: 0, missCount: 0, sharedCount: 0 };
  readonly #cacheBlockSize: number;
  readonly #capacity: number;
  readonly #blocks: LruMap<number, Uint8Array>;
  readonly #loads = new Map<number, Load>();
  /** How many changes have begun, and how many of them are under way. */
  #changeCount = 0;
  #openChangeCount = 0;

  constructor(device: BlockDevice, blockSize: number, capacity: number) {
    super(device);
    this.#cacheBlockSize = blockSize;
    this.#capacity = capacity;
    this.#blocks = new LruMap(capacity);
  }

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    const start = offset % this.#cacheBlockSize;
    if (start + target.length <= this.#cacheBlockSize) {
      const block = this.#blocks.get((offset - start) / this.#cacheBlockSize);
      if (block !== undefined) {
        this.stats.hitCount += 1;
        target.set(block.subarray(start, start + target.length));
        return;
      }
    }
    return runSteps(this.#readBlocks(target, offset));
  }

  override write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.#change(offset, source.length, () => super.write(source, offset), source);
  }

  override zero(offset: number, length: number): MaybePromise<void> {
    return this.#change(offset, length, () => super.zero(offset, length));
  }

  override trim(offset: number, length: number): MaybePromise<void> {
    return this.#change(offset, length, () => super.trim(offset, length));
  }

  prefetch(offset: number, length: number): MaybePromise<void> {
    const pending: Promise<void>[] = [];
    try {
      for (const { done } of this.#fetchBlocks(offset, offset + length)) if (done !== undefined) pending.push(done);
    } catch {
      // Whoever reads it is told.
    }
    if (pending.length > 0) return Promise.allSettled(pending).then(() => undefined);
  }

  invalidate(offset = 0, length = this.size - offset): void {
    if (length <= 0) return;
    const first = Math.floor(offset / this.#cacheBlockSize);
    const end = Math.ceil((offset + length) / this.#cacheBlockSize);
    this.#staleLoads(first, end);
    // A range may have far more blocks than there are in the cache.
    if ((end - first) * this.#cacheBlockSize > this.#capacity) this.#blocks.clear();
    else for (let index = first; index < end; index += 1) this.#blocks.delete(index);
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    this.invalidate();
    await super[Symbol.asyncDispose]();
  }

  *#readBlocks(target: Uint8Array, offset: number): Steps {
    const end = offset + target.length;
    for (let position = offset; position < end; ) {
      const index = Math.floor(position / this.#cacheBlockSize);
      const block = this.#blocks.get(index);
      if (block !== undefined) {
        this.stats.hitCount += 1;
        position = copy(block, index * this.#cacheBlockSize, target, offset, position);
        continue;
      }
      const shared = this.#loads.get(index);
      if (shared !== undefined) this.stats.sharedCount += 1;
      const load = shared ?? this.#load(index, end);
      yield load.done;
      position = copy(load.bytes, load.offset, target, offset, position);
    }
  }

  /** What is being fetched of a range by now. */
  *#fetchBlocks(offset: number, end: number): Generator<Load, undefined> {
    for (let position = offset; position < end; ) {
      const index = Math.floor(position / this.#cacheBlockSize);
      position = (index + 1) * this.#cacheBlockSize;
      if (this.#blocks.get(index) !== undefined) continue;
      const load = this.#loads.get(index) ?? this.#load(index, end);
      yield load;
      position = Math.max(position, load.offset + load.bytes.length);
    }
  }

  /** Starts to fetch block `index`, and those after it that are wanted too, up to byte `end`. */
  #load(index: number, end: number): Load {
    const blockSize = this.#cacheBlockSize;
    const offset = index * blockSize;
    let length = blockSize;
    while (offset + length < end && length < maximumLoadLength && this.#isAway(index + length / blockSize)) {
      length += blockSize;
    }
    this.stats.missCount += length / blockSize;
    const load = new Load(offset, Math.min(length, this.size - offset));
    const pending = this.device.read(load.bytes, offset);
    if (pending === undefined) this.#keep(load);
    else {
      load.done = this.#follow(load, pending);
      for (const loadIndex of this.#indexesOf(load)) this.#loads.set(loadIndex, load);
    }
    return load;
  }

  async #follow(load: Load, pending: Promise<void>): Promise<void> {
    try {
      await pending;
      if (!load.isStale) this.#keep(load);
    } finally {
      if (!load.isStale) for (const index of this.#indexesOf(load)) this.#loads.delete(index);
    }
  }

  #keep({ offset, bytes }: Load): void {
    const blockSize = this.#cacheBlockSize;
    for (let start = 0; start < bytes.length; start += blockSize) {
      // A view of a part would keep all of it in memory.
      const block = bytes.length <= blockSize ? bytes : bytes.slice(start, start + blockSize);
      this.#blocks.set((offset + start) / blockSize, block, block.length);
    }
  }

  #isAway(index: number): boolean {
    return this.#blocks.get(index) === undefined && !this.#loads.has(index);
  }

  *#indexesOf({ offset, bytes }: Load): Generator<number, undefined> {
    for (let start = 0; start < bytes.length; start += this.#cacheBlockSize)
      yield (offset + start) / this.#cacheBlockSize;
  }

  /** Makes a change below, and then what the cache holds right; `source` is what was written. */
  #change(offset: number, length: number, work: () => MaybePromise<void>, source?: Uint8Array): MaybePromise<void> {
    this.#changeCount += 1;
    try {
      const pending = work();
      if (pending !== undefined) return this.#finishChange(pending, offset, length, source);
    } catch (error) {
      this.invalidate(offset, length);
      throw error;
    }
    if (source === undefined) this.invalidate(offset, length);
    else this.#update(source, offset);
  }

  async #finishChange(pending: Promise<void>, offset: number, length: number, source?: Uint8Array): Promise<void> {
    const changeCount = this.#changeCount;
    let isAlone = this.#openChangeCount === 0;
    this.#openChangeCount += 1;
    try {
      await pending;
    } catch (error) {
      isAlone = false;
      throw error;
    } finally {
      this.#openChangeCount -= 1;
      // Of changes at the same time, nobody knows which the device made last.
      if (source !== undefined && isAlone && changeCount === this.#changeCount) this.#update(source, offset);
      else this.invalidate(offset, length);
    }
  }

  #update(source: Uint8Array, offset: number): void {
    const blockSize = this.#cacheBlockSize;
    const end = offset + source.length;
    const first = Math.floor(offset / blockSize);
    this.#staleLoads(first, Math.ceil(end / blockSize));
    for (let index = first; index * blockSize < end; index += 1) {
      const start = Math.max(index * blockSize, offset);
      const part = source.subarray(start - offset, Math.min((index + 1) * blockSize, end) - offset);
      this.#blocks.get(index)?.set(part, start - index * blockSize);
    }
  }

  /** Sees to it that what is being fetched of blocks [first, end) is neither kept nor given to reads to come. */
  #staleLoads(first: number, end: number): void {
    for (const [index, load] of this.#loads) if (index >= first && index < end) load.isStale = true;
    for (const [index, load] of this.#loads) if (load.isStale) this.#loads.delete(index);
  }
}

/** Copies what `bytes`, from byte `start` of the disk, has for `target` at `position`; returns where it ends. */
function copy(bytes: Uint8Array, start: number, target: Uint8Array, offset: number, position: number): number {
  const end = Math.min(start + bytes.length, offset + target.length);
  target.set(bytes.subarray(position - start, end - start), position - offset);
  return end;
}
