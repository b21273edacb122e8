import type { ImageTarget } from './image-target.ts';

/** A pipe that is written to in order, and gets zeros for what is left out between two writes. */
export class OrderedTarget implements ImageTarget {
  readonly seekable = false;
  readonly zeroed = true;
  readonly #target: ImageTarget;
  #position = 0;

  constructor(target: ImageTarget) {
    this.#target = target;
  }

  /** `offset` is where the last write ended, or after it. */
  async write(source: Uint8Array, offset: number): Promise<void> {
    await this.zeroUpTo(offset);
    await this.#target.write(source, offset);
    this.#position = offset + source.length;
  }

  async zero(offset: number, length: number): Promise<void> {
    await this.zeroUpTo(offset + length);
  }

  /** Goes on with zeros up to byte `offset`. */
  async zeroUpTo(offset: number): Promise<void> {
    if (offset > this.#position) await this.#target.zero(this.#position, offset - this.#position);
    this.#position = Math.max(this.#position, offset);
  }

  async finish(size: number): Promise<void> {
    await this.zeroUpTo(size);
    await this.#target.finish(size);
  }
}
