import type { ServedFile } from '../files/file-source.ts';
import { isMemoryFile } from '../files/memory-file.ts';

/** Bytes that are read at once; also the most of a window. */
const readAhead = 2 ** 18;

/**
 * The blocks of a file, which is read some 256 KiB at a time and one such piece ahead. It holds three pieces at most: a
 * window may lie in two.
 */
export class BlockReader implements AsyncDisposable {
  readonly #file: ServedFile;
  readonly #blockSize: number;
  /** A multiple of the block size, so that no block lies in two pieces. */
  readonly #pieceLength: number;
  readonly #pieces = new Map<number, Uint8Array>();
  readonly #loading = new Map<number, Promise<void>>();
  #failure: unknown;

  constructor(file: ServedFile, blockSize: number) {
    this.#file = file;
    this.#blockSize = blockSize;
    this.#pieceLength = Math.max(1, Math.floor(readAhead / blockSize)) * blockSize;
    if (isMemoryFile(file)) {
      this.#pieceLength = Math.max(blockSize, Math.ceil((file.size + 1) / blockSize) * blockSize);
      this.#pieces.set(0, file.content);
    }
  }

  /**
   * Sees to it that blocks `first` … `last`, counted from 1, can be taken, and forgets those before.
   *
   * @returns undefined when they can be taken already
   * @throws VarveError what reading failed with
   */
  prepare(first: number, last: number): undefined | Promise<void> {
    const [from, to] = [this.#pieceOf(first), this.#pieceOf(last)];
    for (const index of this.#pieces.keys()) if (index < from) this.#pieces.delete(index);
    this.#begin(to + 1);
    for (let index = from; index <= to; index += 1) {
      this.#begin(index);
      if (!this.#pieces.has(index)) return this.#wait(from, to);
    }
    return undefined;
  }

  /** The bytes of block `number`, which was prepared: a view that is good until the next `prepare`. */
  block(number: number): Uint8Array {
    const offset = (number - 1) * this.#blockSize;
    const start = offset % this.#pieceLength;
    return this.#pieces.get(this.#pieceOf(number))!.subarray(start, start + this.#blockSize);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#loading.values());
    this.#pieces.clear();
    await this.#file[Symbol.asyncDispose]();
  }

  #pieceOf(number: number): number {
    return Math.floor(((number - 1) * this.#blockSize) / this.#pieceLength);
  }

  async #wait(from: number, to: number): Promise<void> {
    for (let index = from; index <= to; index += 1) {
      this.#begin(index);
      await this.#loading.get(index);
      if (this.#failure !== undefined) throw this.#failure;
    }
  }

  #begin(index: number): void {
    const offset = index * this.#pieceLength;
    if (offset > this.#file.size || this.#pieces.has(index) || this.#loading.has(index)) return;
    const piece = new Uint8Array(Math.min(this.#pieceLength, this.#file.size - offset));
    const pending = this.#file.read(piece, offset);
    if (pending === undefined) {
      this.#pieces.set(index, piece);
      return;
    }
    const load = pending
      .then(() => void this.#pieces.set(index, piece))
      .catch((error: unknown) => {
        this.#failure = error;
      })
      .finally(() => this.#loading.delete(index));
    this.#loading.set(index, load);
  }
}
