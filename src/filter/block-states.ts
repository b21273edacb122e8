import { Bitmap } from '../bytes/bitmap.ts';

/** What an overlay knows of a block: nothing, so that the layer below answers; that it holds data; that it is zeros. */
export type BlockState = 'absent' | 'data' | 'zero';

/** The states of `blockCount` blocks, absent at first, at two bits each. Ranges are block indexes [start, end). */
export class BlockStates {
  readonly blockCount: number;
  readonly #data: Bitmap;
  readonly #zero: Bitmap;

  /** @throws RangeError for 2^32 blocks and more */
  constructor(blockCount: number) {
    this.blockCount = blockCount;
    this.#data = new Bitmap(blockCount);
    this.#zero = new Bitmap(blockCount);
  }

  get(index: number): BlockState {
    if (this.#data.has(index)) return 'data';
    return this.#zero.has(index) ? 'zero' : 'absent';
  }

  set(start: number, end: number, state: BlockState): void {
    if (state === 'data') this.#data.setRange(start, end);
    else this.#data.clearRange(start, end);
    if (state === 'zero') this.#zero.setRange(start, end);
    else this.#zero.clearRange(start, end);
  }

  /** Where the run of blocks ends that are all as block `start` is; at most `end`. */
  runEnd(start: number, end: number): number {
    const state = this.get(start);
    if (state === 'data') return this.#data.nextClear(start, end);
    if (state === 'zero') return this.#zero.nextClear(start, end);
    return this.#zero.nextSet(start, this.#data.nextSet(start, end));
  }

  /** The first block with data in [start, end), or `end`. */
  nextData(start: number, end: number): number {
    return this.#data.nextSet(start, end);
  }

  /** Whether all of [start, end) is data. */
  isData(start: number, end: number): boolean {
    return this.#data.nextClear(start, end) === end;
  }
}
