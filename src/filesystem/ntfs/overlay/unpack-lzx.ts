/*
 * LZX as disk images of Windows have it: chunks of 32 KiB, each by itself. A chunk is blocks:
 *
 *   3 bits  1 verbatim, 2 aligned, 3 not compressed
 *   1 bit   set where the block has 32,768 bytes; else 16 bits say how many
 *
 * Aligned blocks have 8 lengths of words for the lowest three bits of distances, 3 bits each; then both kinds have the lengths
 * of the main code, the first 256 and the others, and those of the code of lengths (LengthReader). What follows are words:
 * symbols below 256 are bytes; of others the lowest three bits are the length of a match less 2, where 7 adds a word of the
 * code of lengths, and the rest is the slot of its distance: 0 to 2 stand for the last three distances, others for a
 * range of distances, of which more bits tell one.
 *
 * Blocks that are not compressed begin at the next word, with the last three distances, 32 bits each.
 *
 * The distances of CALL instructions (e8) in machine code were made absolute before, counted from the start of the chunk.
 *
 * Source: Microsoft, MS-PATCH, section 2 (LZX DELTA); Microsoft, LZX data compression format (Cabinet SDK); wimlib, on how
 * WIM differs from both.
 */
import { copyMatch } from './copy-match.ts';
import { PrefixCode } from './prefix-code.ts';
import { WordBits } from './word-bits.ts';

const defaultBlock = 32_768;
const kinds = { verbatim: 1, aligned: 2, plain: 3 } as const;
const slotCount = 30;
const mainSymbols = 256 + slotCount * 8;
const lengthSymbols = 249;
const shortestMatch = 2;
/** What CALL instructions are counted in: no file was thought to be longer. */
const callRange = 12_000_000;
const impossible = 'it has bits that mean nothing';

/** The first distance of each slot, plus 2, and how many bits tell which one of them. */
const slotBits = Uint8Array.from({ length: slotCount }, (_, slot) => Math.max(0, (slot >> 1) - 1));
const slotBases = Uint32Array.from(slotBits.keys(), (slot) => {
  let base = 0;
  for (let before = 0; before < slot; before++) base += 2 ** slotBits[before]!;
  return base;
});

/** Unpacks a chunk into `target`, which it fills; returns what is wrong, if anything. */
export function unpackLzx(packed: Uint8Array, target: Uint8Array): string | undefined {
  const problem = new LzxChunk(packed, target).unpack();
  if (problem === undefined) makeCallsRelative(target);
  return problem;
}

class LzxChunk {
  readonly #packed: Uint8Array;
  readonly #target: Uint8Array;
  readonly #bits: WordBits;
  /** Lengths are told by how they differ from those of the block before. */
  readonly #mainLengths = new Uint8Array(mainSymbols);
  readonly #lengthLengths = new Uint8Array(lengthSymbols);
  #distances = [1, 1, 1];
  #done = 0;

  constructor(packed: Uint8Array, target: Uint8Array) {
    this.#packed = packed;
    this.#target = target;
    this.#bits = new WordBits(packed, 0);
  }

  unpack(): string | undefined {
    while (this.#done < this.#target.length) {
      const kind = this.#bits.take(3);
      const length = this.#bits.take(1) === 1 ? defaultBlock : this.#bits.take(16);
      const end = this.#done + length;
      if (length === 0 || end > this.#target.length) return `it has a block of ${length} bytes`;
      const problem = kind === kinds.plain ? this.#plainBlock(end) : this.#codedBlock(kind, end);
      if (problem !== undefined) return problem;
    }
    return undefined;
  }

  #plainBlock(end: number): string | undefined {
    const start = this.#bits.alignedPosition();
    const length = end - this.#done;
    const content = this.#packed.subarray(start + 12, start + 12 + length);
    if (content.length < length) return 'it is cut off';
    const view = new DataView(this.#packed.buffer, this.#packed.byteOffset + start, 12);
    this.#distances = [0, 4, 8].map((place) => view.getUint32(place, true));
    this.#target.set(content, this.#done);
    this.#done = end;
    this.#bits.seek(start + 12 + length + (length & 1));
    return undefined;
  }

  #codedBlock(kind: number, end: number): string | undefined {
    if (kind !== kinds.verbatim && kind !== kinds.aligned) return `it has a block of kind ${kind}`;
    const lowest = kind === kinds.aligned ? this.#alignedCode() : undefined;
    const isRead =
      readLengths(this.#bits, this.#mainLengths, 0, 256) &&
      readLengths(this.#bits, this.#mainLengths, 256, mainSymbols) &&
      readLengths(this.#bits, this.#lengthLengths, 0, lengthSymbols);
    const main = isRead ? PrefixCode.of(this.#mainLengths) : undefined;
    const lengths = isRead ? PrefixCode.of(this.#lengthLengths) : undefined;
    if (main === undefined || lengths === undefined) return 'its codes cannot be';
    if (kind === kinds.aligned && lowest === undefined) return 'its codes cannot be';
    return this.#words(main, lengths, lowest, end);
  }

  #alignedCode(): PrefixCode | undefined {
    return PrefixCode.of(Uint8Array.from({ length: 8 }, () => this.#bits.take(3)));
  }

  /** Hot. */
  #words(main: PrefixCode, lengths: PrefixCode, lowest: PrefixCode | undefined, end: number): string | undefined {
    const target = this.#target;
    while (this.#done < end) {
      const symbol = main.take(this.#bits);
      if (symbol < 0) return impossible;
      if (symbol < 256) {
        target[this.#done++] = symbol;
        continue;
      }
      let length = symbol & 7;
      if (length === 7) {
        const more = lengths.take(this.#bits);
        if (more < 0) return impossible;
        length += more;
      }
      length += shortestMatch;
      const distance = this.#distance((symbol - 256) >> 3, lowest);
      if (this.#done + length > end || !copyMatch(target, this.#done, distance, length)) {
        return 'it refers to what is not there';
      }
      this.#done += length;
    }
    return undefined;
  }

  /** The distance of a match; 0 where the bits mean none. */
  #distance(slot: number, lowest: PrefixCode | undefined): number {
    const recent = this.#distances;
    if (slot < 3) {
      const distance = recent[slot]!;
      recent[slot] = recent[0]!;
      recent[0] = distance;
      return distance;
    }
    const count = slotBits[slot]!;
    let more: number;
    if (lowest !== undefined && count >= 3) {
      const high = this.#bits.take(count - 3) << 3;
      const low = lowest.take(this.#bits);
      if (low < 0) return 0;
      more = high + low;
    } else {
      more = this.#bits.take(count);
    }
    const distance = slotBases[slot]! + more - 2;
    this.#distances = [distance, recent[0]!, recent[1]!];
    return distance;
  }
}

/**
 * Reads lengths from `start` to `end`: 20 lengths, 4 bits each, of a code whose symbols below 17 say by how much, modulo 17, a
 * length is less than before; 17 and 18 stand for runs of 0, and 19 for a run of one that follows.
 */
function readLengths(bits: WordBits, lengths: Uint8Array, start: number, end: number): boolean {
  const code = PrefixCode.of(Uint8Array.from({ length: 20 }, () => bits.take(4)));
  if (code === undefined) return false;
  for (let index = start; index < end; ) {
    const symbol = code.take(bits);
    if (symbol < 0) return false;
    let run = 1;
    let value = 0;
    if (symbol === 17) run = 4 + bits.take(4);
    else if (symbol === 18) run = 20 + bits.take(5);
    else if (symbol === 19) {
      run = 4 + bits.take(1);
      const next = code.take(bits);
      if (next < 0 || next > 16) return false;
      value = (lengths[index]! - next + 17) % 17;
    } else value = (lengths[index]! - symbol + 17) % 17;
    lengths.fill(value, index, Math.min(end, index + run));
    index += run;
  }
  return true;
}

/** Turns absolute targets of CALL instructions back into distances. */
function makeCallsRelative(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let index = 0; index < bytes.length - 10; index++) {
    if (bytes[index] !== 0xe8) continue;
    const absolute = view.getInt32(index + 1, true);
    if (absolute >= -index && absolute < callRange) {
      view.setInt32(index + 1, absolute >= 0 ? absolute - index : absolute + callRange, true);
    }
    index += 4;
  }
}
