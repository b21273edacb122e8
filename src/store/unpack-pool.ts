import { zlib } from '../bytes/zlib.ts';
import { chunkSize } from './chunk.ts';

// Node's thread pool has four threads; the rest are at hand when one is done while the main thread is busy.
const laneCount = 16;

/**
 * Unpacks chunks in Node's thread pool, a few at a time. Each of its lanes is a decompressing stream that is given one
 * frame after the other: so the codec's memory is allocated once, and no thread has to be started.
 */
export class UnpackPool implements Disposable {
  readonly #idle: Lane[] = [];
  readonly #waiting: Array<(lane: Lane) => void> = [];
  #started = 0;

  /**
   * What a zstd frame holds, where that is as long as a chunk; `undefined` for anything else. `frame` is not to change
   * until that is done.
   */
  async unpack(frame: Uint8Array): Promise<Uint8Array | undefined> {
    const acquired = this.#acquire();
    const lane = acquired instanceof Promise ? await acquired : acquired;
    const bytes = await lane.decompress(frame);
    this.#release(bytes === undefined ? lane.replaced() : lane);
    return bytes;
  }

  /** To be called when nothing is being unpacked. */
  [Symbol.dispose](): void {
    for (const lane of this.#idle.splice(0)) lane[Symbol.dispose]();
  }

  #acquire(): Lane | Promise<Lane> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#started === laneCount) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#started += 1;
    return new Lane();
  }

  #release(lane: Lane): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(lane);
    else next(lane);
  }
}

class Lane implements Disposable {
  // The memory of one output buffer, which four chunks share.
  readonly #stream = zlib().createZstdDecompress({ chunkSize: 4 * chunkSize });
  #parts: Uint8Array[] = [];
  #length = 0;
  #done: PromiseWithResolvers<Uint8Array | undefined> | undefined;

  constructor() {
    this.#stream.on('data', (part: Uint8Array) => this.#take(part));
    this.#stream.on('error', () => this.#done?.resolve(undefined));
  }

  decompress(frame: Uint8Array): Promise<Uint8Array | undefined> {
    this.#done = Promise.withResolvers();
    this.#stream.write(frame, () => this.#finish());
    return this.#done.promise;
  }

  /** A fresh lane in place of one that is in the middle of a frame, or failed. */
  replaced(): Lane {
    this[Symbol.dispose]();
    return new Lane();
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
  }

  #take(part: Uint8Array): void {
    this.#parts.push(part);
    this.#length += part.length;
    // A damaged frame may claim to hold gigabytes.
    if (this.#length > chunkSize) this.#done?.resolve(undefined);
    if (this.#length > chunkSize) this.#stream.destroy();
  }

  #finish(): void {
    const parts = this.#parts;
    const isWhole = this.#length === chunkSize;
    this.#parts = [];
    this.#length = 0;
    this.#done?.resolve(isWhole ? (parts.length === 1 ? parts[0] : Buffer.concat(parts)) : undefined);
  }
}
