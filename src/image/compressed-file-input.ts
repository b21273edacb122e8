import type { BlockDevice } from '../block/block-device.ts';

const pieceLength = 65536;

/** The bytes of a compressed file in order, with a look at what comes next. */
export class CompressedFileInput {
  readonly #file: BlockDevice;
  readonly #onBytes: (count: number) => void;
  #position = 0;
  #buffered: Uint8Array = new Uint8Array(0);

  /** `onBytes` is told how many bytes were read each time. */
  constructor(file: BlockDevice, onBytes: (count: number) => void = () => {}) {
    this.#file = file;
    this.#onBytes = onBytes;
  }

  /** The next bytes, the caller's from then on; undefined at the end of the file. */
  async next(): Promise<Uint8Array | undefined> {
    await this.#fill(1);
    const piece = this.#buffered;
    this.#buffered = new Uint8Array(0);
    return piece.length === 0 ? undefined : piece;
  }

  /** Puts back what was not needed of the bytes that came last. */
  unread(bytes: Uint8Array): void {
    this.#buffered = this.#buffered.length === 0 ? bytes : Buffer.concat([bytes, this.#buffered]);
  }

  /** The next `length` bytes, fewer at the end of the file, without moving on. */
  async peek(length: number): Promise<Uint8Array> {
    await this.#fill(length);
    return this.#buffered.subarray(0, length);
  }

  /** The next `length` bytes, fewer at the end of the file. */
  async take(length: number): Promise<Uint8Array> {
    const taken = await this.peek(length);
    this.#buffered = this.#buffered.subarray(taken.length);
    return taken;
  }

  async #fill(length: number): Promise<void> {
    while (this.#buffered.length < length && this.#position < this.#file.size) {
      const piece = new Uint8Array(Math.min(Math.max(pieceLength, length), this.#file.size - this.#position));
      await this.#file.read(piece, this.#position);
      this.#position += piece.length;
      this.#onBytes(piece.length);
      this.#buffered = this.#buffered.length === 0 ? piece : Buffer.concat([this.#buffered, piece]);
    }
  }
}
