import type { BlockDevice } from '../block/block-device.ts';

/** What comes after so many pieces of data counts as data: finding them costs a system call or two each. */
const maximumPieces = 16384;

/**
 * Where a file has holes, as it was when it was looked at. Tables that lie there need not be read to be known as empty,
 * so that a small file which says that it is terabytes long takes no more time than what is in it.
 */
export class FileHoles {
  /** Where data starts and ends, in turn. */
  readonly #borders: readonly number[];
  #last = 0;

  private constructor(borders: readonly number[]) {
    this.#borders = borders;
  }

  static async of(file: BlockDevice): Promise<FileHoles> {
    const borders: number[] = [];
    if (!file.supports.extents) return new FileHoles([0, Number.POSITIVE_INFINITY]);
    for await (const { kind, length, offset } of file.extents(0, file.size)) {
      if (kind !== 'data') continue;
      if (borders.length >= maximumPieces * 2) {
        borders.push(offset, Number.POSITIVE_INFINITY);
        break;
      }
      borders.push(offset, offset + length);
    }
    return new FileHoles(borders);
  }

  /** Whether `length` bytes from byte `offset` on are all in one hole. */
  has(offset: number, length: number): boolean {
    return this.endAt(offset) >= offset + length;
  }

  /** Where the hole ends that byte `offset` is in: infinity for the last one; `offset` where it is in none. */
  endAt(offset: number): number {
    const borders = this.#borders;
    let index = this.#last;
    // Hot: tables mostly come in the order of the file.
    if (!((borders[index - 1] ?? 0) <= offset && offset < (borders[index] ?? Number.POSITIVE_INFINITY))) {
      index = this.#bordersUpTo(offset);
      this.#last = index;
    }
    if (index % 2 === 1) return offset;
    return borders[index] ?? Number.POSITIVE_INFINITY;
  }

  /** How many borders are at `offset` or before it. */
  #bordersUpTo(offset: number): number {
    let [low, high] = [0, this.#borders.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#borders[middle]! <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
