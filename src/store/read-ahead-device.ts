import { setImmediate } from 'node:timers/promises';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';
import { chunkSize } from './chunk.ts';
import type { ContentMap } from './content-map.ts';
import { type DataBatch, dataBatches } from './data-batches.ts';
import { loadChunks } from './load-chunks.ts';
import type { StoreParts } from './store-parts.ts';
import { UnpackPool } from './unpack-pool.ts';

/**
 * A snapshot's disk for who reads it from front to back: chunks are read and unpacked ahead, in threads. Jumping
 * forward starts over there, and what lies behind is read as `device` does. `map` is of the same content; it is this
 * device's alone. Disposing leaves `device` open.
 */
export function readAheadDevice(parts: StoreParts, map: ContentMap, device: BlockDevice): BlockDevice {
  return new ReadAheadDevice(parts, map, device);
}

/** Chunks on their way, and where they are on the disk. */
interface Window {
  readonly chunkIndexes: readonly number[];
  /** The chunks may be views into it. */
  readonly buffer: Uint8Array;
  readonly loading: Promise<(Uint8Array | undefined)[]>;
}

/** Chunks that are loaded together. */
const windowChunks = 16;
/** Windows that are loaded at once: 6 MiB of the disk. */
const windowCount = 6;

class ReadAheadDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #parts: StoreParts;
  readonly #map: ContentMap;
  readonly #device: BlockDevice;
  readonly #pool = new UnpackPool();
  /** In the order of the disk; of the first one, the chunks are there. */
  readonly #windows: Window[] = [];
  readonly #buffers: Uint8Array[] = [];
  #chunks: readonly (Uint8Array | undefined)[] = [];
  #batches: AsyncGenerator<DataBatch> | undefined;
  /** One read after the other: they share the windows. */
  #last: Promise<void> = Promise.resolve();

  constructor(parts: StoreParts, map: ContentMap, device: BlockDevice) {
    this.size = device.size;
    this.blockSize = device.blockSize;
    this.supports = device.supports;
    this.#parts = parts;
    this.#map = map;
    this.#device = device;
  }

  read(target: Uint8Array, offset: number): Promise<void> {
    const run = () => this.#read(target, offset);
    this.#last = this.#last.then(run, run);
    return this.#last;
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.#device.write(source, offset);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    return this.#device.zero(offset, length);
  }

  trim(offset: number, length: number): MaybePromise<void> {
    return this.#device.trim(offset, length);
  }

  flush(): MaybePromise<void> {
    return this.#device.flush();
  }

  extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    return this.#device.extents(offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#last.catch(() => undefined);
    await Promise.allSettled(this.#windows.splice(0).map(({ loading }) => loading));
    this.#pool[Symbol.dispose]();
  }

  async #read(target: Uint8Array, offset: number): Promise<void> {
    for (let filled = 0; filled < target.length; ) {
      const position = offset + filled;
      const chunkIndex = Math.floor(position / chunkSize);
      const start = position - chunkIndex * chunkSize;
      const part = target.subarray(filled, filled + Math.min(chunkSize - start, target.length - filled));
      if (!this.#isAtHand(chunkIndex)) await this.#moveTo(chunkIndex);
      const chunk = this.#chunks[this.#windows[0]?.chunkIndexes.indexOf(chunkIndex) ?? -1];
      if (chunk === undefined) await this.#device.read(part, position);
      else part.set(chunk.subarray(start, start + part.length));
      filled += part.length;
    }
  }

  /** Whether a chunk is in the first window, or before it. */
  #isAtHand(chunkIndex: number): boolean {
    const last = this.#windows[0]?.chunkIndexes.at(-1);
    return last !== undefined && chunkIndex <= last;
  }

  /** Makes the window that holds a chunk, or the next one after it, the first. */
  async #moveTo(chunkIndex: number): Promise<void> {
    const isAhead = chunkIndex <= (this.#windows.at(-1)?.chunkIndexes.at(-1) ?? -1);
    while (this.#windows.length > 0 && !this.#isAtHand(chunkIndex)) await this.#drop(this.#windows.shift() as Window);
    if (!isAhead) this.#batches = dataBatches(this.#map, chunkIndex, windowChunks);
    await this.#fill();
    // Threads are heard, and go on, only when this one has nothing else to do.
    await setImmediate();
    this.#chunks = (await this.#windows[0]?.loading) ?? [];
  }

  async #drop({ loading, buffer }: Window): Promise<void> {
    await loading;
    this.#buffers.push(buffer);
  }

  async #fill(): Promise<void> {
    while (this.#windows.length < windowCount) {
      const batch = await this.#batches?.next();
      if (batch === undefined || batch.done) return;
      const { chunkIndexes, names } = batch.value;
      const buffer = this.#buffers.pop() ?? new Uint8Array(windowChunks * chunkSize);
      const loading = loadChunks(this.#parts, this.#pool, names, buffer);
      // Whoever waits for it sees a failure; until then it must not count as nobody's.
      loading.catch(() => undefined);
      this.#windows.push({ chunkIndexes, buffer, loading });
    }
  }
}
