import type { MaybePromise } from '../block/block-device.ts';
import { zlib } from '../bytes/zlib.ts';
import { bestBody, compressionLevel, type StoredBody } from './pack-body.ts';

// Node's thread pool has four threads; the rest are at hand when one is done while the main thread is busy.
const laneCount = 16;

/**
 * Packs bodies in Node's thread pool, a few at a time. Each of its lanes is a compressing stream that turns every
 * write into one whole frame: so the codec's memory is allocated once, and no thread has to be started.
 */
export class CompressPool implements Disposable {
  readonly #idle: Lane[] = [];
  readonly #waiting: Array<(lane: Lane) => void> = [];
  #started = 0;

  /** Packs a body of up to 64 KiB, whose bytes are not to change until that is done. */
  async pack(bytes: Uint8Array): Promise<StoredBody> {
    const acquired = this.#acquire();
    const lane = acquired instanceof Promise ? await acquired : acquired;
    const frame = await lane.compress(bytes);
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(lane);
    else next(lane);
    return bestBody(bytes, frame);
  }

  /** To be called when nothing is being packed. */
  [Symbol.dispose](): void {
    for (const lane of this.#idle.splice(0)) lane[Symbol.dispose]();
  }

  #acquire(): MaybePromise<Lane> {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#started === laneCount) return new Promise((resolve) => this.#waiting.push(resolve));
    this.#started += 1;
    return new Lane();
  }
}

class Lane implements Disposable {
  readonly #stream = zlib().createZstdCompress({
    flush: zlib().constants.ZSTD_e_end,
    // The memory of one output buffer, which several frames share.
    chunkSize: 256 * 1024,
    params: { [zlib().constants.ZSTD_c_compressionLevel]: compressionLevel },
  });
  #parts: Uint8Array[] = [];
  #done: PromiseWithResolvers<Uint8Array> | undefined;

  constructor() {
    this.#stream.on('data', (part: Uint8Array) => this.#parts.push(part));
    this.#stream.on('error', (error) => this.#done?.reject(error));
  }

  compress(bytes: Uint8Array): Promise<Uint8Array> {
    this.#done = Promise.withResolvers();
    this.#stream.write(bytes, () => this.#finish());
    return this.#done.promise;
  }

  [Symbol.dispose](): void {
    this.#stream.destroy();
  }

  #finish(): void {
    const parts = this.#parts;
    this.#parts = [];
    this.#done?.resolve(parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts));
  }
}
