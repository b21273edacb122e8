import type { WordBits } from './word-bits.ts';

const noSymbol = 0xffff;

/**
 * A canonical prefix code: shorter words come first, those of one length in the order of their symbols.
 *
 * Source: Microsoft, MS-XCA, section 2.2.4; MS-PATCH, section 2.6.
 */
export class PrefixCode {
  readonly #lengths: Uint8Array;
  readonly #longest: number;
  /** The symbol for each way in which the next bits may begin. */
  readonly #table: Uint16Array;

  private constructor(lengths: Uint8Array, longest: number, table: Uint16Array) {
    this.#lengths = lengths;
    this.#longest = longest;
    this.#table = table;
  }

  /** The code whose words have these lengths in bits, at most 16; 0 for symbols without. Undefined where there is none such. */
  static of(lengths: Uint8Array): PrefixCode | undefined {
    const longest = lengths.reduce((most, length) => Math.max(most, length), 0);
    const table = new Uint16Array(2 ** longest).fill(noSymbol);
    let place = 0;
    for (let length = 1; length <= longest; length++) {
      const width = 2 ** (longest - length);
      for (let symbol = 0; symbol < lengths.length; symbol++) {
        if (lengths[symbol] !== length) continue;
        if (place + width > table.length) return undefined;
        table.fill(symbol, place, place + width);
        place += width;
      }
    }
    return new PrefixCode(lengths, longest, table);
  }

  /** Takes the next symbol, or returns −1 where the bits are no word. Hot. */
  take(bits: WordBits): number {
    const symbol = this.#table[bits.peek(this.#longest)]!;
    if (symbol === noSymbol) return -1;
    bits.skip(this.#lengths[symbol]!);
    return symbol;
  }
}
