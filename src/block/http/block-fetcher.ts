import { LruMap } from '../../base/lru.ts';
import { RequestSlots } from '../request-slots.ts';

/** Where blocks come from. */
export interface BlockSource {
  /** In bytes. */
  readonly size: number;
  /** Fills buffers, one behind the other, from `offset`. */
  read(targets: readonly Uint8Array[], offset: number): Promise<void>;
}

/** What a `BlockFetcher` is made of. */
export interface BlockFetcherOptions {
  /** In bytes. */
  readonly blockSize: number;
  /** How many blocks one request asks for at most. */
  readonly requestBlockCount: number;
  /** How many requests are under way at a time. */
  readonly requestCount: number;
  /** How much is kept, in bytes. */
  readonly capacity: number;
}

/** Fetches blocks of something slow, neighbours with one request, each once, and keeps those used last. */
export class BlockFetcher {
  readonly #source: BlockSource;
  readonly #options: BlockFetcherOptions;
  readonly #slots: RequestSlots;
  readonly #kept: LruMap<number, Uint8Array>;
  readonly #coming = new Map<number, Promise<Uint8Array>>();

  constructor(source: BlockSource, options: BlockFetcherOptions) {
    this.#source = source;
    this.#options = options;
    this.#slots = new RequestSlots(options.requestCount);
    this.#kept = new LruMap(options.capacity);
  }

  /** The block, where it is there already. */
  kept(index: number): Uint8Array | undefined {
    return this.#kept.get(index);
  }

  /** The blocks from `first` to before `end`, those that are there and those that are on their way. */
  want(first: number, end: number): (Uint8Array | Promise<Uint8Array>)[] {
    this.prefetch(first, end);
    return Array.from({ length: end - first }, (_, position) => {
      const index = first + position;
      return this.#kept.get(index) ?? (this.#coming.get(index) as Promise<Uint8Array>);
    });
  }

  /** Asks for those of the blocks from `first` to before `end` that are neither there nor on their way. */
  prefetch(first: number, end: number): void {
    let runStart = first;
    for (let index = first; index < end; index += 1) {
      const isThere = this.#coming.has(index) || this.#kept.get(index) !== undefined;
      if (!isThere && index - runStart < this.#options.requestBlockCount) continue;
      this.#request(runStart, index);
      runStart = isThere ? index + 1 : index;
    }
    this.#request(runStart, end);
  }

  #request(first: number, end: number): void {
    if (first >= end) return;
    const fetching = this.#slots.run(() => this.#fetch(first, end));
    for (let index = first; index < end; index += 1) {
      const block = fetching.then((blocks) => blocks[index - first] as Uint8Array);
      this.#coming.set(index, block);
      block.then(
        (bytes) => {
          this.#kept.set(index, bytes, bytes.length);
          this.#coming.delete(index);
        },
        // Whoever needs it sees the failure; who comes later asks again.
        () => this.#coming.delete(index),
      );
    }
  }

  async #fetch(first: number, end: number): Promise<Uint8Array[]> {
    const { blockSize } = this.#options;
    const blocks: Uint8Array[] = [];
    for (let index = first; index < end; index += 1) {
      // Nobody sees it before it has been filled.
      blocks.push(Buffer.allocUnsafeSlow(Math.min(blockSize, this.#source.size - index * blockSize)));
    }
    await this.#source.read(blocks, first * blockSize);
    return blocks;
  }
}
