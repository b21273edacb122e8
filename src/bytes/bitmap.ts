/** Bit indexes are unsigned 32-bit numbers, so that words are found by a shift. */
const maximumSize = 2 ** 32 - 1;

/**
 * `size` bits, all clear at first, in `size` / 8 bytes of memory. Indexes count bits; ranges are [start, end).
 * An index or range outside is misuse: `RangeError`.
 */
export class Bitmap {
  /** How many bits there are. */
  readonly size: number;
  readonly #words: Uint32Array;

  constructor(size: number) {
    if (!(Number.isInteger(size) && size >= 0 && size <= maximumSize)) throw new RangeError(`a bitmap of ${size} bits`);
    this.size = size;
    this.#words = new Uint32Array(Math.ceil(size / 32));
  }

  /** A bitmap from what `toBytes` gave: at least `size` / 8 bytes, of which bits past `size` are ignored. */
  static fromBytes(bytes: Uint8Array, size: number): Bitmap {
    if (bytes.length < Math.ceil(size / 8)) throw new RangeError(`${bytes.length} bytes for ${size} bits`);
    const bitmap = new Bitmap(size);
    const target = new Uint8Array(bitmap.#words.buffer);
    target.set(bytes.subarray(0, Math.ceil(size / 8)));
    if (size % 8 !== 0) target[size >>> 3]! &= (1 << (size % 8)) - 1;
    return bitmap;
  }

  /** A copy, least significant bit first, padded with clear bits to whole bytes. (Node's platforms are little-endian.) */
  toBytes(): Uint8Array {
    return new Uint8Array(this.#words.buffer).slice(0, Math.ceil(this.size / 8));
  }

  has(index: number): boolean {
    if (!(index >= 0 && index < this.size)) throw new RangeError(`bit ${index} of ${this.size}`);
    return ((this.#words[index >>> 5]! >>> (index & 31)) & 1) === 1;
  }

  set(index: number): void {
    this.setRange(index, index + 1);
  }

  clear(index: number): void {
    this.clearRange(index, index + 1);
  }

  setRange(start: number, end: number): void {
    this.#check(start, end);
    if (start === end) return;
    const [first, last] = [start >>> 5, (end - 1) >>> 5];
    const words = this.#words;
    if (first === last) {
      words[first]! |= maskFrom(start) & maskTo(end);
      return;
    }
    words[first]! |= maskFrom(start);
    words.fill(0xffff_ffff, first + 1, last);
    words[last]! |= maskTo(end);
  }

  clearRange(start: number, end: number): void {
    this.#check(start, end);
    if (start === end) return;
    const [first, last] = [start >>> 5, (end - 1) >>> 5];
    const words = this.#words;
    if (first === last) {
      words[first]! &= ~(maskFrom(start) & maskTo(end));
      return;
    }
    words[first]! &= ~maskFrom(start);
    words.fill(0, first + 1, last);
    words[last]! &= ~maskTo(end);
  }

  /** The first set bit in [from, end), or `end` where there is none. */
  nextSet(from: number, end: number = this.size): number {
    return this.#next(from, end, 0);
  }

  /** The first clear bit in [from, end), or `end` where there is none. */
  nextClear(from: number, end: number = this.size): number {
    return this.#next(from, end, 0xffff_ffff);
  }

  /** How many bits are set in [start, end). */
  count(start = 0, end: number = this.size): number {
    this.#check(start, end);
    if (start === end) return 0;
    const [first, last] = [start >>> 5, (end - 1) >>> 5];
    const words = this.#words;
    if (first === last) return ones(words[first]! & maskFrom(start) & maskTo(end));
    let total = ones(words[first]! & maskFrom(start)) + ones(words[last]! & maskTo(end));
    for (let index = first + 1; index < last; index += 1) total += ones(words[index]!);
    return total;
  }

  /** The first bit that is set once every word is turned over by `flip`. */
  #next(from: number, end: number, flip: number): number {
    this.#check(from, end);
    if (from === end) return end;
    const words = this.#words;
    const last = (end - 1) >>> 5;
    let index = from >>> 5;
    let word = (words[index]! ^ flip) & maskFrom(from);
    while (word === 0 && index < last) {
      index += 1;
      word = words[index]! ^ flip;
    }
    if (word === 0) return end;
    return Math.min(end, index * 32 + lowestBit(word));
  }

  #check(start: number, end: number): void {
    if (!(start >= 0 && start <= end && end <= this.size)) throw new RangeError(`bits ${start}–${end} of ${this.size}`);
  }
}

/** The bits of a word from `start`'s on. */
function maskFrom(start: number): number {
  return 0xffff_ffff << (start & 31);
}

/** The bits of a word before `end`'s, all of them where `end` is the next word's first. */
function maskTo(end: number): number {
  return 0xffff_ffff >>> (-end & 31);
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}

/** The number of ones in a word. Source: Warren, Hacker's Delight, section 5-1. */
function ones(word: number): number {
  const pairs = word - ((word >>> 1) & 0x5555_5555);
  const nibbles = (pairs & 0x3333_3333) + ((pairs >>> 2) & 0x3333_3333);
  return Math.imul((nibbles + (nibbles >>> 4)) & 0x0f0f_0f0f, 0x0101_0101) >>> 24;
}
