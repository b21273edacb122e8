/**
 * Bits of 16-bit words, little-endian, from the highest on, as XPRESS and LZX have them. At least 16 are always looked ahead
 * to, which XPRESS relies on: it puts whole bytes where the next word would be. Past the end there are zeros.
 */
export class WordBits {
  readonly #bytes: Uint8Array;
  #position: number;
  /** The next bits, the first of them the highest of 32. */
  #bits = 0;
  #count = 0;

  /** From byte `position` on. */
  constructor(bytes: Uint8Array, position: number) {
    this.#bytes = bytes;
    this.#position = position;
    this.#fill();
    this.#fill();
  }

  /** The next `count` bits, 0 to 16 of them, without taking them. Hot. */
  peek(count: number): number {
    return count === 0 ? 0 : this.#bits >>> (32 - count);
  }

  /** Takes `count` bits, 0 to 16 of them. Hot. */
  skip(count: number): void {
    this.#bits = (this.#bits << count) >>> 0;
    this.#count -= count;
    if (this.#count < 16) this.#fill();
  }

  /** Takes `count` bits, 0 to 16 of them, as a number. */
  take(count: number): number {
    const value = this.peek(count);
    this.skip(count);
    return value;
  }

  /** Takes a byte from behind the words that are looked ahead to. */
  takeByte(): number {
    return this.#bytes[this.#position++] ?? 0;
  }

  /** Where the next word begins of which no bit was taken, in bytes; a whole word is left out where none was begun. */
  alignedPosition(): number {
    const taken = this.#position * 8 - this.#count;
    return (Math.floor(taken / 16) + 1) * 2;
  }

  /** Goes on at byte `position`. */
  seek(position: number): void {
    this.#position = position;
    this.#bits = 0;
    this.#count = 0;
    this.#fill();
    this.#fill();
  }

  #fill(): void {
    const word = (this.#bytes[this.#position] ?? 0) | ((this.#bytes[this.#position + 1] ?? 0) << 8);
    this.#position += 2;
    this.#bits = (this.#bits | (word << (16 - this.#count))) >>> 0;
    this.#count += 16;
  }
}
