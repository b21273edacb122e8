import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import type { BlockDevice } from '../../block/block-device.ts';

/** How many bytes of a file are packed together. */
export const dataBlockLength = 2 ** 17;
const isPlainBit = 0x100_0000;
/** Blocks that are being packed, or wait to be written. */
const mostUnderWay = 8;
/** Packs two thirds as quickly as the default, into a tenth less: it is sent to machines, and kept in their memory. */
const level = 9;
// Linux unpacks with a window of a block's length, and no longer one.
const params = {
  [constants.ZSTD_c_compressionLevel]: level,
  [constants.ZSTD_c_windowLog]: Math.log2(dataBlockLength),
};

const pack = promisify(zstdCompress);

/** A block as it is stored: the 32 bits that say how, and its first byte's place. */
export interface StoredBlock {
  readonly word: number;
  readonly place: number;
}

/** Writes blocks of data one behind the other, in the order in which they were added, and packs several at a time. */
export class DataOutput {
  readonly #target: Pick<BlockDevice, 'write'>;
  #position: number;
  #last: Promise<unknown> = Promise.resolve();
  #underWay = 0;
  #wake: (() => void) | undefined;

  constructor(target: Pick<BlockDevice, 'write'>, position: number) {
    this.#target = target;
    this.#position = position;
  }

  /** The place behind what was written, when all is. @throws what the target throws */
  async end(): Promise<number> {
    await this.#last;
    return this.#position;
  }

  /**
   * Takes a block, which is the output's from then on, and waits while there are too many.
   *
   * @returns a function of what becomes of it, which throws what the target throws
   */
  async add(block: Uint8Array): Promise<() => Promise<StoredBlock>> {
    while (this.#underWay >= mostUnderWay) await new Promise<void>((resolve) => (this.#wake = resolve));
    this.#underWay += 1;
    // Without its length zstd ends a whole block by an empty one, which Linux cannot read where it begins another page.
    const packing = pack(block, { params, pledgedSrcSize: block.length });
    // Whoever waits for it next hears of a failure.
    packing.catch(() => {});
    const stored = this.#store(this.#last, block, packing);
    stored.catch(() => {});
    this.#last = stored;
    return () => stored;
  }

  async #store(before: Promise<unknown>, plain: Uint8Array, packing: Promise<Uint8Array>): Promise<StoredBlock> {
    try {
      await before;
      const packed = await packing;
      const isPlain = packed.length >= plain.length;
      const bytes = isPlain ? plain : packed;
      const place = this.#position;
      this.#position += bytes.length;
      await this.#target.write(bytes, place);
      return { word: bytes.length | (isPlain ? isPlainBit : 0), place };
    } finally {
      this.#underWay -= 1;
      this.#wake?.();
    }
  }
}
