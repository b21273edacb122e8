import type { BlockDevice } from '../block/block-device.ts';
import { Bitmap } from '../bytes/bitmap.ts';
import { type DiskRange, dataRanges } from './data-ranges.ts';

/** Which blocks of a disk its extents call data, at one moment. */
export class AllocatedBlocks {
  readonly #blocks: Bitmap;
  readonly #blockSize: number;
  readonly #diskSize: number;

  private constructor(blocks: Bitmap, blockSize: number, diskSize: number) {
    this.#blocks = blocks;
    this.#blockSize = blockSize;
    this.#diskSize = diskSize;
  }

  /** Those of a disk, in blocks of `blockSize` bytes; it takes a bit of memory for each block. */
  static async of(source: BlockDevice, blockSize: number): Promise<AllocatedBlocks> {
    const blocks = new Bitmap(Math.ceil(source.size / blockSize));
    for await (const { length, offset } of dataRanges(source, blockSize)) {
      blocks.setRange(offset / blockSize, Math.ceil((offset + length) / blockSize));
    }
    return new AllocatedBlocks(blocks, blockSize, source.size);
  }

  get count(): number {
    return this.#blocks.count();
  }

  has(block: number): boolean {
    return this.#blocks.has(block);
  }

  /** The bytes of each of them in order, up to the disk's end. */
  *ranges(): Generator<DiskRange, undefined> {
    const { size } = this.#blocks;
    for (let block = this.#blocks.nextSet(0); block < size; block = this.#blocks.nextSet(block + 1)) {
      const offset = block * this.#blockSize;
      yield { offset, length: Math.min(this.#blockSize, this.#diskSize - offset) };
    }
  }
}
