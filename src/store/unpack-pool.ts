import { zlib } from '../bytes/zlib.ts';
import { chunkSize } from './chunk.ts';

// Node's thread pool has four threads; the rest are at hand when one is done while the main thread is busy.
const laneCount = 8;

/**
 * Unpacks chunks in Node's thread pool, some at a time. Each of its lanes is a decompressing stream that is given one
 * run of frames after the other: so the codec's memory is allocated once, and no thread has to be started.
 */
export class UnpackPool implements Disposable {
  readonly #idle: Lane[] = [];
  readonly #waiting: Array<(lane: Lane) => void> = [];
  #started = 0;

  /**
   * What `count` zstd frames hold that stand one after the other in `frames`, where each holds a chunk; `undefined` for
   * anything else. `frames` is not to change until that is done.
   */
  async unpack(frames: Uint8Array, count: number): Promise<readonly Uint8Array[] | undefined> {
    const acquired = this.#acquire();
    const lane = acquired instanceof Promise ? await acquired : acquired;
    const chunks = await lane.decompress(frames, count);
    this.#release(chunks === undefined ? lane.replaced() : lane);
    return chunks;
  }

  /** To be called when nothing is being unpacked. */
  [Symbol.dispose](): void {
    for (const lane of this.#idle.splice(0)) lane[Symbol.dispose]();
  }

  #acquire(): Lane | Promise<Lane> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#started === laneCount) return new Promise((resolve) => this.#waiting.push(resolve));
    const lane = new Lane();
    this.#started += 1;
    return lane;
  }

  #release(lane: Lane): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(lane);
    else next(lane);
  }
}

class Lane implements Disposable {
  // Node goes on with the next frame where one fills its output buffer to the byte, and takes all else for the end.
  readonly #stream = zlib().createZstdDecompress({ chunkSize });
  #chunks: Uint8Array[] = [];
  #count = 0;
  #done: PromiseWithResolvers<readonly Uint8Array[] | undefined> | undefined;

  constructor() {
    this.#stream.on('data', (part: Uint8Array) => this.#take(part));
    this.#stream.on('error', () => this.#done?.resolve(undefined));
  }

  decompress(frames: Uint8Array, count: number): Promise<readonly Uint8Array[] | undefined> {
    this.#done = Promise.withResolvers();
    this.#count = count;
    this.#stream.write(frames, () => this.#finish());
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
    this.#chunks.push(part);
    // A damaged frame may hold anything, gigabytes too.
    if (part.length === chunkSize && this.#chunks.length <= this.#count) return;
    this.#done?.resolve(undefined);
    this.#stream.destroy();
  }

  #finish(): void {
    const chunks = this.#chunks;
    this.#chunks = [];
    this.#done?.resolve(chunks.length === this.#count ? chunks : undefined);
  }
}
