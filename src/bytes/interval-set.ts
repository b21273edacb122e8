/** The bytes from `offset` up to but not including `end`; `end` is over `offset`. */
export interface Interval {
  readonly offset: number;
  readonly end: number;
}

/** A sorted run of boundaries `offset, end, offset, end, …`; never empty inside a set. */
type Block = number[];

/** Where an interval's offset stands: which block, and which boundary in it (an even index). */
interface Position {
  readonly block: number;
  readonly index: number;
}

/** A block is cut in two when it grows past this many boundaries: small enough to insert fast, large enough to be few. */
const maximumBlockLength = 1024;

/**
 * A set of byte offsets, held as sorted, disjoint intervals that do not touch. Offsets are whole numbers from 0 to
 * 2^53−1; where a method takes `offset` and `end`, it means [offset, end), and an empty range is allowed.
 *
 * Intervals lie in blocks of some hundred, so that finding one is two binary searches and adding one moves no more
 * than a block: a million adds in random order take about a second. Do not change a set while iterating over it.
 */
export class IntervalSet implements Iterable<Interval> {
  #blocks: Block[] = [];
  #totalLength = 0;

  /** A set with all of `intervals`, in any order; they may overlap. */
  constructor(intervals: Iterable<Interval> = []) {
    for (const { offset, end } of intervals) this.add(offset, end);
  }

  /** How many bytes are in the set. */
  get totalLength(): number {
    return this.#totalLength;
  }

  /** How many intervals the set consists of. */
  get intervalCount(): number {
    return this.#blocks.reduce((count, block) => count + block.length / 2, 0);
  }

  add(offset: number, end: number): void {
    check(offset, end);
    if (offset === end) return;
    const first = this.#find(offset);
    const last = this.#findAfter(end);
    // What it touches melts with it into one.
    const touched = this.#span(first, last);
    if (touched === nothing) this.#replace(first, last, [offset, end]);
    else this.#replace(first, last, [Math.min(offset, touched.offset), Math.max(end, touched.end)]);
  }

  remove(offset: number, end: number): void {
    check(offset, end);
    if (offset === end) return;
    const first = this.#find(offset);
    const last = this.#findAfter(end);
    const touched = this.#span(first, last);
    if (touched === nothing) return;
    const rest: number[] = [];
    if (touched.offset < offset) rest.push(touched.offset, offset);
    if (touched.end > end) rest.push(end, touched.end);
    this.#replace(first, last, rest);
  }

  /** Whether all of [offset, end) is in the set; of one byte, where `end` is left out. */
  has(offset: number, end: number = offset + 1): boolean {
    check(offset, end);
    if (offset === end) return true;
    const { block: blockIndex, index } = this.#find(offset + 1);
    const block = this.#blocks[blockIndex];
    return block !== undefined && block[index]! <= offset && block[index + 1]! >= end;
  }

  /** The parts of [offset, end) that are in the set, in order. */
  *intersect(offset: number, end: number): Generator<Interval, undefined> {
    check(offset, end);
    let { block: blockIndex, index } = this.#find(offset);
    for (; blockIndex < this.#blocks.length; blockIndex += 1, index = 0) {
      const block = this.#blocks[blockIndex]!;
      for (; index < block.length; index += 2) {
        if (block[index]! >= end) return;
        const part = { offset: Math.max(offset, block[index]!), end: Math.min(end, block[index + 1]!) };
        if (part.offset < part.end) yield part;
      }
    }
  }

  /** The parts of [offset, end) that are not in the set, in order. */
  *gaps(offset: number, end: number): Generator<Interval, undefined> {
    let position = offset;
    for (const present of this.intersect(offset, end)) {
      if (position < present.offset) yield { offset: position, end: present.offset };
      position = present.end;
    }
    if (position < end) yield { offset: position, end };
  }

  /** All intervals in order. */
  [Symbol.iterator](): Generator<Interval, undefined> {
    return this.intersect(0, Number.MAX_SAFE_INTEGER);
  }

  clone(): IntervalSet {
    const copy = new IntervalSet();
    copy.#blocks = this.#blocks.map((block) => block.slice());
    copy.#totalLength = this.#totalLength;
    return copy;
  }

  /** A new set of what is in this one or the other. */
  union(other: IntervalSet): IntervalSet {
    const result = this.clone();
    for (const { offset, end } of other) result.add(offset, end);
    return result;
  }

  /** A new set of what is in this one and not in the other. */
  difference(other: IntervalSet): IntervalSet {
    const result = this.clone();
    for (const { offset, end } of other) result.remove(offset, end);
    return result;
  }

  /** A new set of what is in both. */
  intersection(other: IntervalSet): IntervalSet {
    const result = new IntervalSet();
    for (const { offset, end } of other) {
      for (const part of this.intersect(offset, end)) result.add(part.offset, part.end);
    }
    return result;
  }

  /** Where the first interval stands that ends at `offset` or later. */
  #find(offset: number): Position {
    const block = this.#findBlock(offset);
    return { block, index: intervalsBelow(this.#blocks[block], 1, offset) };
  }

  /** The place after the last interval that starts at `end` or earlier. */
  #findAfter(end: number): Position {
    const block = this.#findBlock(end);
    return { block, index: intervalsBelow(this.#blocks[block], 0, end + 1) };
  }

  /** The first block with an end at `offset` or later, or the number of blocks. */
  #findBlock(offset: number): number {
    let low = 0;
    for (let high = this.#blocks.length; low < high; ) {
      const middle = (low + high) >>> 1;
      const block = this.#blocks[middle]!;
      if (block[block.length - 1]! < offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** From the first offset to the last end of the intervals from `first` up to `last`, or `nothing`. */
  #span(first: Position, last: Position): Interval {
    if (first.block === last.block && first.index === last.index) return nothing;
    const before = last.index > 0 ? this.#blocks[last.block]! : this.#blocks[last.block - 1]!;
    return {
      offset: this.#blocks[first.block]![first.index]!,
      end: before[(last.index > 0 ? last.index : before.length) - 1]!,
    };
  }

  /** Puts `boundaries` in the place of the intervals from `first` up to `last`. */
  #replace(first: Position, last: Position, boundaries: number[]): void {
    const blocks = this.#blocks;
    this.#totalLength += lengthOf(boundaries);
    if (first.block === blocks.length) {
      this.#append(boundaries);
      return;
    }
    const block = blocks[first.block]!;
    if (first.block === last.block) {
      this.#totalLength -= lengthOf(block.splice(first.index, last.index - first.index, ...boundaries));
    } else {
      this.#totalLength -= lengthOf(block.splice(first.index, block.length, ...boundaries));
      const tail = blocks[last.block]?.slice(last.index) ?? [];
      const between = blocks.splice(first.block + 1, last.block - first.block, ...(tail.length > 0 ? [tail] : []));
      for (const removed of between) this.#totalLength -= lengthOf(removed);
      this.#totalLength += lengthOf(tail);
    }
    this.#settle(first.block);
  }

  /** Puts `boundaries` after everything. */
  #append(boundaries: number[]): void {
    if (this.#blocks.length === 0) this.#blocks.push([]);
    this.#blocks.at(-1)!.push(...boundaries);
    this.#settle(this.#blocks.length - 1);
  }

  /** Cuts a block that grew too long in two, and drops one that is empty. */
  #settle(blockIndex: number): void {
    const block = this.#blocks[blockIndex]!;
    if (block.length === 0) this.#blocks.splice(blockIndex, 1);
    if (block.length > maximumBlockLength) {
      this.#blocks.splice(blockIndex + 1, 0, block.splice(maximumBlockLength / 2));
    }
  }
}

const nothing: Interval = { offset: 0, end: 0 };

/** How many boundaries those intervals take whose offset (`side` 0) or end (`side` 1) is below `limit`. */
function intervalsBelow(block: Block | undefined, side: 0 | 1, limit: number): number {
  let low = 0;
  for (let high = block === undefined ? 0 : block.length / 2; low < high; ) {
    const middle = (low + high) >>> 1;
    if (block![middle * 2 + side]! < limit) low = middle + 1;
    else high = middle;
  }
  return low * 2;
}

function lengthOf(boundaries: readonly number[]): number {
  let total = 0;
  for (let index = 0; index < boundaries.length; index += 2) total += boundaries[index + 1]! - boundaries[index]!;
  return total;
}

function check(offset: number, end: number): void {
  if (offset >= 0 && offset <= end && end <= Number.MAX_SAFE_INTEGER) return;
  throw new RangeError(`the range from ${offset} to ${end}`);
}
