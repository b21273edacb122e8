import { type DataOutput, dataBlockLength, type StoredBlock } from './data-output.ts';

/** Where a small file is: in which fragment block, and where in it. */
export interface FragmentPlace {
  readonly index: number;
  readonly offset: number;
}

/** Blocks in which small files stand together. */
export class Fragments {
  readonly #output: DataOutput;
  readonly #stored: (() => Promise<StoredBlock>)[] = [];
  #buffer = new Uint8Array(dataBlockLength);
  #used = 0;

  constructor(output: DataOutput) {
    this.#output = output;
  }

  /** Room for a file of `length` bytes, shorter than a block; to be filled at once. */
  async take(length: number): Promise<{ readonly place: FragmentPlace; readonly room: Uint8Array }> {
    if (this.#used + length > dataBlockLength) await this.#store();
    const place = { index: this.#stored.length, offset: this.#used };
    const room = this.#buffer.subarray(this.#used, this.#used + length);
    this.#used += length;
    return { place, room };
  }

  /** Writes what is left, and tells where all blocks are. */
  async end(): Promise<StoredBlock[]> {
    if (this.#used > 0) await this.#store();
    return await Promise.all(this.#stored.map((stored) => stored()));
  }

  async #store(): Promise<void> {
    const block = this.#buffer.subarray(0, this.#used);
    this.#buffer = new Uint8Array(dataBlockLength);
    this.#used = 0;
    this.#stored.push(await this.#output.add(block));
  }
}
