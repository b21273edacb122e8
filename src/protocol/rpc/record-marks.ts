/*
 * Over TCP a message is a record of one or more fragments, each of which begins with
 *
 *   byte 0 uint32   the highest bit: this is the last fragment; the others: the length of what follows
 *
 * Source: RFC 5531, section 11.
 */
import { VarveError } from '../../base/varve-error.ts';

/** The length of what a fragment begins with, in bytes. */
export const markLength = 4;
const lastFragment = 0x8000_0000;

/** Puts records together that come as bytes of a stream. Hot: a record of one fragment is taken where it stands. */
export class RecordMarks {
  readonly #maximum: number;
  /** What came in fragments before; made when there are such. */
  #gathered: Uint8Array | undefined;
  #gatheredLength = 0;
  /** The record that `take` came to; undefined where more has to come. It may stand in the bytes that were given. */
  record: Uint8Array | undefined;
  /** How many bytes have to be there for `take` to get on. */
  required = markLength;

  /** `maximum` is how long a record may be, in bytes. */
  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** Whether a part of a record was taken. */
  get isInside(): boolean {
    return this.#gathered !== undefined;
  }

  /**
   * Takes what stands at the beginning of `bytes`, and gives how many bytes that were: none where more have to be there.
   *
   * @throws VarveError `INVALID` for a record that is too long
   */
  take(bytes: Uint8Array): number {
    this.record = undefined;
    this.required = markLength;
    if (bytes.length < markLength) return 0;
    const mark = ((bytes[0]! << 24) | (bytes[1]! << 16) | (bytes[2]! << 8) | bytes[3]!) >>> 0;
    const isLast = mark >= lastFragment;
    const length = isLast ? mark - lastFragment : mark;
    if (this.#gatheredLength + length > this.#maximum) {
      throw new VarveError('INVALID', `a record of ${this.#gatheredLength + length} bytes is too long`);
    }
    const end = markLength + length;
    if (bytes.length < end) {
      this.required = end;
      return 0;
    }
    const fragment = bytes.subarray(markLength, end);
    if (isLast && this.#gathered === undefined) this.record = fragment;
    else this.#gather(fragment, isLast);
    return end;
  }

  #gather(fragment: Uint8Array, isLast: boolean): void {
    this.#gathered ??= new Uint8Array(this.#maximum);
    this.#gathered.set(fragment, this.#gatheredLength);
    this.#gatheredLength += fragment.length;
    if (!isLast) return;
    this.record = this.#gathered.subarray(0, this.#gatheredLength);
    this.#gathered = undefined;
    this.#gatheredLength = 0;
  }
}
