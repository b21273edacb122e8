import { crc32c } from '../../../bytes/crc32c.ts';
import type { XfsVolume } from '../volume.ts';

/** No log of a real disk changes more metadata than this, in bytes. */
const mostChanged = 512 * 2 ** 20;

/** The blocks of a disk that its log changes, as they are then. */
export class ReplayedBlocks {
  /** By number. */
  readonly blocks = new Map<number, Uint8Array>();
  readonly #volume: XfsVolume;

  constructor(volume: XfsVolume) {
    this.#volume = volume;
  }

  /** Puts bytes at byte `place` of the disk. @throws VarveError `CORRUPT` where that is past the end; `UNSUPPORTED` */
  async write(place: number, bytes: Uint8Array): Promise<void> {
    await this.#eachPart(place, bytes.length, (block, inside, done) => {
      block.set(bytes.subarray(done, done + block.length - inside), inside);
    });
  }

  /** A copy of the bytes at byte `place` of the disk, as they are by now. */
  async read(place: number, length: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(length);
    await this.#eachPart(place, length, (block, inside, done) => {
      bytes.set(block.subarray(inside, inside + length - done), done);
    });
    return bytes;
  }

  /** Makes the checksum at byte `at` of a structure fit again. */
  async fixChecksum(place: number, length: number, at: number): Promise<void> {
    const bytes = await this.read(place, length);
    const view = new DataView(bytes.buffer);
    view.setUint32(at, 0);
    view.setUint32(at, crc32c(bytes), true);
    await this.write(place, bytes);
  }

  async #eachPart(
    place: number,
    length: number,
    action: (block: Uint8Array, inside: number, done: number) => void,
  ): Promise<void> {
    const { blockSize } = this.#volume.superblock;
    for (let done = 0; done < length; ) {
      const inside = (place + done) % blockSize;
      action(await this.#block((place + done - inside) / blockSize), inside, done);
      done += blockSize - inside;
    }
  }

  async #block(number: number): Promise<Uint8Array> {
    const known = this.blocks.get(number);
    if (known !== undefined) return known;
    const { blockSize } = this.#volume.superblock;
    this.#volume.checkRange(number, 1, 'something in the log');
    if (this.blocks.size * blockSize >= mostChanged) {
      throw this.#volume.unsupported(
        `its log changes more than ${mostChanged} bytes; mount it once to write them back`,
      );
    }
    const block = new Uint8Array(blockSize);
    await this.#volume.read(block, number * blockSize, 'what the log changes');
    this.blocks.set(number, block);
    return block;
  }
}
