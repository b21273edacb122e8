/** What an overlay knows of a block: nothing, so that the layer below answers; that it holds data; that it is zeros. */
export type BlockState = 'absent' | 'data' | 'zero';

/** The blocks whose states a page holds, at two bits each: 4096 bytes for 64 MiB of a disk in blocks of 4 KiB. */
export const blocksPerPage = 16_384;
/** The bytes of a page. */
export const statePageLength: number = blocksPerPage / 4;
const blocksPerWord = 16;

/** A word full of one state: absent is 00, data 01, zero 10. 11 is none. */
const patterns: Readonly<Record<BlockState, number>> = { absent: 0, data: 0x5555_5555, zero: 0xaaaa_aaaa };
const lowBits = 0x5555_5555;
const allBits = 0xffff_ffff;

/** Pages full of one state, shared by all that are: zeroing a terabyte at once takes no memory. Never written to. */
const fullPages = { data: fullPage('data'), zero: fullPage('zero') };

function fullPage(state: BlockState): Uint32Array<ArrayBuffer> {
  return new Uint32Array(statePageLength / 4).fill(patterns[state]);
}

/**
 * The states of `blockCount` blocks, absent at first. Memory is taken for pages in which a block is not absent: for a
 * disk of 1 TiB in blocks of 4 KiB 64 MiB at the most. Ranges are block indexes [start, end).
 */
export class BlockStates {
  readonly blockCount: number;
  readonly #pages = new Map<number, Uint32Array<ArrayBuffer>>();
  /** The pages that changed since they were taken. */
  readonly #changed = new Set<number>();

  constructor(blockCount: number) {
    this.blockCount = blockCount;
  }

  /** Hot: once for each run of a request, as all of these (bench/overlay.ts). */
  get(index: number): BlockState {
    const page = this.#pages.get(Math.floor(index / blocksPerPage));
    if (page === undefined) return 'absent';
    const bits = (page[(index % blocksPerPage) >>> 4]! >>> ((index & 15) * 2)) & 3;
    if (bits === 1) return 'data';
    return bits === 2 ? 'zero' : 'absent';
  }

  set(start: number, end: number, state: BlockState): void {
    for (let position = start; position < end; ) {
      const pageIndex = Math.floor(position / blocksPerPage);
      const first = pageIndex * blocksPerPage;
      const stop = Math.min(end, first + blocksPerPage);
      this.#changed.add(pageIndex);
      if (stop - position === blocksPerPage) this.#setPage(pageIndex, state);
      else fill(this.#ownPage(pageIndex), position - first, stop - first, patterns[state]);
      position = stop;
    }
  }

  /** Where the run of blocks ends that are all as block `start` is; at most `end`. */
  runEnd(start: number, end: number): number {
    return this.#firstOther(start, end, patterns[this.get(start)], allBits);
  }

  /** The first block with data in [start, end), or `end`. */
  nextData(start: number, end: number): number {
    return this.#firstOther(start, end, 0, lowBits);
  }

  /** The first block in [start, end) that is not absent, or `end`. */
  nextPresent(start: number, end: number): number {
    return this.#firstOther(start, end, patterns.absent, allBits);
  }

  /** Whether all of [start, end) is data. */
  isData(start: number, end: number): boolean {
    return this.#firstOther(start, end, patterns.data, allBits) === end;
  }

  /** Whether no block is anything but absent. */
  get isEmpty(): boolean {
    for (const page of this.#pages.values()) if (page.some((word) => word !== 0)) return false;
    return true;
  }

  /** How many pages changed since `takeChangedPages` was last called. */
  get changedCount(): number {
    return this.#changed.size;
  }

  /** The pages that changed since this was last called, by their index and in order, as they are at this moment. */
  takeChangedPages(): Map<number, Uint8Array> {
    const taken = new Map<number, Uint8Array>();
    for (const pageIndex of [...this.#changed].sort((a, b) => a - b)) {
      const page = this.#pages.get(pageIndex);
      const copy = page === undefined ? new Uint32Array(statePageLength / 4) : isShared(page) ? page : page.slice();
      taken.set(pageIndex, new Uint8Array(copy.buffer));
    }
    this.#changed.clear();
    return taken;
  }

  /** Lets pages that were taken count as changed again: they went nowhere. */
  giveBack(pageIndexes: Iterable<number>): void {
    for (const pageIndex of pageIndexes) this.#changed.add(pageIndex);
  }

  /** Takes the states of a page from what `takeChangedPages` gave. False, and nothing done, where one is no state. */
  loadPage(pageIndex: number, bytes: Uint8Array): boolean {
    const words = new Uint32Array(bytes.slice(0, statePageLength).buffer);
    if (words.some((word) => (word & (word >>> 1) & lowBits) !== 0)) return false;
    if (words.some((word) => word !== 0)) this.#pages.set(pageIndex, words);
    return true;
  }

  #setPage(pageIndex: number, state: BlockState): void {
    if (state === 'absent') this.#pages.delete(pageIndex);
    else this.#pages.set(pageIndex, fullPages[state]);
  }

  /** The page, to be written to. */
  #ownPage(pageIndex: number): Uint32Array {
    const page = this.#pages.get(pageIndex);
    if (page !== undefined && !isShared(page)) return page;
    const own = page?.slice() ?? new Uint32Array(statePageLength / 4);
    this.#pages.set(pageIndex, own);
    return own;
  }

  /** The first block in [start, end) that differs from `pattern` in one of the bits that `select` has, or `end`. */
  #firstOther(start: number, end: number, pattern: number, select: number): number {
    for (let position = start; position < end; ) {
      const pageIndex = Math.floor(position / blocksPerPage);
      const first = pageIndex * blocksPerPage;
      const stop = Math.min(end, first + blocksPerPage);
      const page = this.#pages.get(pageIndex);
      // In a page that is not there all blocks are absent, of which `pattern` is that or another state's.
      if (page === undefined && pattern !== 0) return position;
      const other =
        page === undefined ? stop : first + firstOtherIn(page, position - first, stop - first, pattern, select);
      if (other < stop) return other;
      position = stop;
    }
    return end;
  }
}

function isShared(page: Uint32Array): boolean {
  return page === fullPages.zero || page === fullPages.data;
}

function firstOtherIn(words: Uint32Array, start: number, end: number, pattern: number, select: number): number {
  const last = (end - 1) >>> 4;
  let index = start >>> 4;
  let word = (words[index]! ^ pattern) & select & maskFrom(start);
  while (word === 0 && index < last) {
    index += 1;
    word = (words[index]! ^ pattern) & select;
  }
  if (word === 0) return end;
  return Math.min(end, index * blocksPerWord + ((31 - Math.clz32(word & -word)) >>> 1));
}

function fill(words: Uint32Array, start: number, end: number, pattern: number): void {
  const first = start >>> 4;
  const last = (end - 1) >>> 4;
  for (let index = first; index <= last; index += 1) {
    const mask = (index === first ? maskFrom(start) : allBits) & (index === last ? maskTo(end) : allBits);
    words[index] = (words[index]! & ~mask) | (pattern & mask);
  }
}

/** The bits of a word from block `start`'s on. */
function maskFrom(start: number): number {
  return allBits << ((start & 15) * 2);
}

/** The bits of a word before block `end`'s, all of them where `end` is the next word's first. */
function maskTo(end: number): number {
  return allBits >>> ((-2 * end) & 31);
}
