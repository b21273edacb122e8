import type { WordBits } from './word-bits.ts';

const longestWord = 16;
/** Words up to this length are looked up at once. A chunk is short, and a table for longer ones costs more than it saves. */
const tableBits = 10;

/**
 * A canonical prefix code: shorter words come first, those of one length in the order of their symbols.
 *
 * Source: Microsoft, MS-XCA, section 2.2.4; MS-PATCH, section 2.6.
 */
export class PrefixCode {
  readonly #tableBits: number;
  /** By how the next bits begin: a symbol, and in the lowest four bits the length of its word; 0 where it is longer. */
  readonly #table: Uint16Array;
  readonly #counts: Uint16Array;
  /** All symbols in the order of their words. */
  readonly #symbols: Uint16Array;

  private constructor(counts: Uint16Array, symbols: Uint16Array, longest: number) {
    this.#counts = counts;
    this.#symbols = symbols;
    this.#tableBits = Math.min(longest, tableBits);
    this.#table = tableOf(counts, symbols, this.#tableBits);
  }

  /** The code whose words have these lengths in bits, at most 16; 0 for symbols without. Undefined where there is none such. */
  static of(lengths: Uint8Array): PrefixCode | undefined {
    const counts = new Uint16Array(longestWord + 1);
    for (const length of lengths) counts[length]!++;
    counts[0] = 0;
    const starts = new Uint16Array(longestWord + 2);
    let [room, longest] = [1, 0];
    for (let length = 1; length <= longestWord; length++) {
      room = room * 2 - counts[length]!;
      if (room < 0) return undefined;
      if (counts[length]! > 0) longest = length;
      starts[length + 1] = starts[length]! + counts[length]!;
    }
    const symbols = new Uint16Array(starts[longestWord + 1]!);
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      const length = lengths[symbol]!;
      if (length > 0) symbols[starts[length]!++] = symbol;
    }
    return new PrefixCode(counts, symbols, longest);
  }

  /** Takes the next symbol, or returns −1 where the bits are no word. Hot. */
  take(bits: WordBits): number {
    const entry = this.#table[bits.peek(this.#tableBits)]!;
    if (entry === 0) return this.#takeLong(bits);
    bits.skip(entry & 15);
    return entry >> 4;
  }

  #takeLong(bits: WordBits): number {
    let [first, start] = [0, 0];
    for (let length = 1; length <= longestWord; length++) {
      const count = this.#counts[length]!;
      const place = bits.peek(length) - first;
      if (place < count) {
        bits.skip(length);
        return this.#symbols[start + place]!;
      }
      first = (first + count) * 2;
      start += count;
    }
    return -1;
  }
}

function tableOf(counts: Uint16Array, symbols: Uint16Array, width: number): Uint16Array {
  const table = new Uint16Array(2 ** width);
  let [place, index] = [0, 0];
  for (let length = 1; length <= width; length++) {
    const span = 2 ** (width - length);
    for (let count = counts[length]!; count > 0; count--, index++, place += span) {
      table.fill((symbols[index]! << 4) | length, place, place + span);
    }
  }
  return table;
}
