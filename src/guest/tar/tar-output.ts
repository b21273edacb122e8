import type { MaybePromise } from '../../block/block-device.ts';
import { tarBlockSize } from '../../format/tar-header.ts';

/** Takes the bytes of an archive, one piece after the other; a piece is the archive's again when it is done with. */
export type ByteSink = (bytes: Uint8Array) => MaybePromise<void>;

const bufferLength = 1 << 20;
/** What archives are a multiple of, in bytes: 20 blocks, as tar(1) has it. */
const recordLength = 20 * tarBlockSize;

/** The bytes of an archive, gathered: one buffer is filled while the sink works on another. */
export class TarOutput {
  readonly #sink: ByteSink;
  #buffer = new Uint8Array(bufferLength);
  #other = new Uint8Array(bufferLength);
  #used = 0;
  #length = 0;
  #sending: MaybePromise<void> = undefined;

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** How long the archive is by now, in bytes. */
  get length(): number {
    return this.#length;
  }

  async add(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length; ) {
      const room = await this.room(bytes.length - done);
      room.set(bytes.subarray(done, done + room.length));
      done += room.length;
      this.use(room.length);
    }
  }

  /** Where up to `most` bytes that come next may be put, one at least; `use` then says how many were. */
  async room(most: number): Promise<Uint8Array> {
    if (this.#used === bufferLength) await this.#send();
    return this.#buffer.subarray(this.#used, Math.min(bufferLength, this.#used + most));
  }

  use(length: number): void {
    this.#used += length;
    this.#length += length;
  }

  /** Zeros up to where the next block starts. */
  async pad(): Promise<void> {
    await this.zeros((tarBlockSize - (this.#length % tarBlockSize)) % tarBlockSize);
  }

  async zeros(length: number): Promise<void> {
    for (let rest = length; rest > 0; ) {
      const room = await this.room(rest);
      room.fill(0);
      rest -= room.length;
      this.use(room.length);
    }
  }

  /** Ends the archive: two blocks of zeros at least. */
  async end(): Promise<void> {
    await this.zeros(2 * tarBlockSize);
    await this.zeros((recordLength - (this.#length % recordLength)) % recordLength);
    await this.#send();
    await this.#sending;
  }

  async #send(): Promise<void> {
    await this.#sending;
    this.#sending = this.#sink(this.#buffer.subarray(0, this.#used));
    // Whoever waits for it next hears of a failure.
    this.#sending?.catch(() => {});
    [this.#buffer, this.#other] = [this.#other, this.#buffer];
    this.#used = 0;
  }
}
