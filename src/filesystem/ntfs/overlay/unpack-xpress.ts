/*
 * XPRESS with Huffman codes: 256 bytes with the lengths of the words of 512 symbols, four bits each, the lower ones first; then
 * words. Symbols below 256 are bytes. Of the others the lowest four bits are the length of a match less 3, and the next four
 * how many bits of its distance follow, below a bit that is set. A length of 15 goes on in a byte, to be added; where that is
 * 255, in 16 bits instead; where those are 0, in 32.
 *
 * Source: Microsoft, MS-XCA, section 2.2.
 */
import { copyMatch } from './copy-match.ts';
import { PrefixCode } from './prefix-code.ts';
import { WordBits } from './word-bits.ts';

const symbolCount = 512;
const shortestMatch = 3;

/** Unpacks a chunk into `target`, which it fills; returns what is wrong, if anything. */
export function unpackXpress(packed: Uint8Array, target: Uint8Array): string | undefined {
  const code = codeOf(packed);
  if (code === undefined) return 'its code cannot be';
  const bits = new WordBits(packed, symbolCount / 2);
  for (let done = 0; done < target.length; ) {
    const symbol = code.take(bits);
    if (symbol < 0) return 'it has bits that mean nothing';
    if (symbol < 256) {
      target[done++] = symbol;
      continue;
    }
    const length = matchLength(symbol & 15, bits) + shortestMatch;
    const distanceBits = (symbol - 256) >> 4;
    const distance = (1 << distanceBits) + bits.take(distanceBits);
    if (!copyMatch(target, done, distance, length)) return 'it refers to what is not there';
    done += length;
  }
  return undefined;
}

function codeOf(packed: Uint8Array): PrefixCode | undefined {
  if (packed.length < symbolCount / 2) return undefined;
  const lengths = new Uint8Array(symbolCount);
  for (let symbol = 0; symbol < symbolCount; symbol++) {
    const pair = packed[symbol >> 1]!;
    lengths[symbol] = (symbol & 1) === 0 ? pair & 15 : pair >> 4;
  }
  return PrefixCode.of(lengths);
}

function matchLength(short: number, bits: WordBits): number {
  if (short < 15) return short;
  const byte = bits.takeByte();
  if (byte < 255) return byte + 15;
  const word = bits.takeByte() | (bits.takeByte() << 8);
  if (word !== 0) return word;
  return (bits.takeByte() | (bits.takeByte() << 8) | (bits.takeByte() << 16)) + bits.takeByte() * 2 ** 24;
}
