/** What a transfer is made of. */
export interface ReadTransferOptions {
  /** Of the file, in bytes. */
  readonly size: number;
  readonly blockSize: number;
  readonly windowSize: number;
  /** Whether the client is told of options first, which it acknowledges as block 0. */
  readonly hasOptions: boolean;
  readonly timeoutMs: number;
  /** How often the same is sent again before the client counts as gone; 6 where nothing is given. */
  readonly maximumRepetitions?: number | undefined;
}

const longestTimeoutMs = 8000;

/**
 * Which blocks of a file are to be sent when: one transfer to one client, without its bytes, socket and clock. Blocks
 * are counted from 1 without an end; the last one is short, and empty where the size is a multiple of the block's.
 *
 * An acknowledgement that says nothing new sends nothing (else each block would go out twice from then on: RFC 1123,
 * section 4.2.3.1), but for the first of a window with which several blocks go out: there it says that the window's
 * first was lost (RFC 7440, section 4).
 */
export class ReadTransfer {
  readonly blockCount: number;
  readonly #windowSize: number;
  readonly #timeoutMs: number;
  readonly #maximumRepetitions: number;
  #isOpening: boolean;
  #acknowledged = 0;
  #sent = 0;
  #repetitions = 0;
  #hasRepeatedWindow = false;

  constructor({ size, blockSize, windowSize, hasOptions, timeoutMs, maximumRepetitions = 6 }: ReadTransferOptions) {
    this.blockCount = Math.floor(size / blockSize) + 1;
    this.#windowSize = windowSize;
    this.#timeoutMs = timeoutMs;
    this.#maximumRepetitions = maximumRepetitions;
    this.#isOpening = hasOptions;
  }

  /** Whether the options are what has to be sent, instead of blocks. */
  get isOpening(): boolean {
    return this.#isOpening;
  }

  get isDone(): boolean {
    return this.#acknowledged === this.blockCount;
  }

  /** The first block that has to be sent now. */
  get firstBlock(): number {
    return this.#acknowledged + 1;
  }

  /** The last block that has to be sent now. */
  get lastBlock(): number {
    return Math.min(this.#acknowledged + this.#windowSize, this.blockCount);
  }

  /** For how long to wait for an acknowledgement, in milliseconds: longer each time that none came. */
  get timeoutMs(): number {
    return Math.min(this.#timeoutMs * 2 ** this.#repetitions, Math.max(longestTimeoutMs, this.#timeoutMs));
  }

  /** Notes that all from `firstBlock` to `lastBlock` went out. */
  noteSent(): void {
    this.#sent = this.lastBlock;
  }

  /** Takes the acknowledgement of `number`, as it is on the wire. @returns whether `firstBlock` … `lastBlock` go out */
  acknowledge(number: number): boolean {
    const progress = (number - this.#acknowledged) & 0xffff;
    if (this.#isOpening) {
      if (progress !== 0) return false;
      this.#isOpening = false;
      this.#repetitions = 0;
      return true;
    }
    if (progress === 0) return this.#repeatWindow();
    if (progress > this.#sent - this.#acknowledged) return false;
    this.#acknowledged += progress;
    this.#repetitions = 0;
    this.#hasRepeatedWindow = false;
    return !this.isDone;
  }

  /** Takes that nothing came for `timeoutMs`. @returns whether to send again; else the client is gone */
  expire(): boolean {
    this.#repetitions += 1;
    this.#hasRepeatedWindow = false;
    return this.#repetitions <= this.#maximumRepetitions;
  }

  #repeatWindow(): boolean {
    if (this.#windowSize === 1 || this.#hasRepeatedWindow) return false;
    this.#hasRepeatedWindow = this.#sent > 0;
    return this.#hasRepeatedWindow;
  }
}
