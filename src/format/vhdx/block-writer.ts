import type { ImageTarget } from '../image-target.ts';
import { BatWriter } from './bat-writer.ts';
import { fileLength, type VhdxLayout } from './layout.ts';

/** Writes payload blocks in the order of the disk; they are made when something is written to them. */
export class BlockWriter {
  readonly #target: ImageTarget;
  readonly #layout: VhdxLayout;
  readonly #table: BatWriter;
  #block = -1;
  #count = 0;

  constructor(target: ImageTarget, layout: VhdxLayout) {
    this.#target = target;
    this.#layout = layout;
    this.#table = new BatWriter(target, layout);
  }

  /** How many blocks there are by now. */
  get count(): number {
    return this.#count;
  }

  /** Writes bytes of one block of the disk, in it or in one after all that was written to before. */
  async write(bytes: Uint8Array, diskOffset: number): Promise<void> {
    const { blockSize } = this.#layout;
    const block = Math.floor(diskOffset / blockSize);
    if (block !== this.#block) await this.#add(block);
    await this.#target.write(bytes, fileLength(this.#layout, this.#count - 1) + (diskOffset % blockSize));
  }

  async finish(): Promise<void> {
    await this.#table.finish();
  }

  async #add(block: number): Promise<void> {
    const offset = fileLength(this.#layout, this.#count);
    if (!this.#target.zeroed) await this.#target.zero(offset, this.#layout.blockSize);
    await this.#table.set(block, offset);
    this.#block = block;
    this.#count += 1;
  }
}
