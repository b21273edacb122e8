import type { FileExtent } from '../../filesystem/file-system.ts';

/** A file of more runs counts as data from the last of them on. */
const mostRuns = 1 << 18;

/** Where a file has data: what is in between reads as zeros. */
export class DataRuns {
  /** Begin and end of each run, in bytes, in order. */
  readonly #bounds: readonly number[];
  readonly #size: number;

  private constructor(bounds: readonly number[], size: number) {
    this.#bounds = bounds;
    this.#size = size;
  }

  /** @throws VarveError as reading the extents does */
  static async read(extents: AsyncIterable<FileExtent>, size: number): Promise<DataRuns> {
    const bounds: number[] = [];
    for await (const { kind, length, offset } of extents) {
      if (kind !== 'data') continue;
      if (bounds.at(-1) === offset) bounds[bounds.length - 1] = offset + length;
      else if (bounds.length === 2 * mostRuns) bounds[bounds.length - 1] = size;
      else bounds.push(offset, offset + length);
    }
    return new DataRuns(bounds, size);
  }

  /** What it takes in memory, in bytes. */
  get weight(): number {
    return 128 + this.#bounds.length * 8;
  }

  /** The first byte at or after `offset` that is of this kind; a file ends in a hole. Undefined where none follows. */
  find(offset: number, kind: 'data' | 'hole'): number | undefined {
    if (offset >= this.#size) return undefined;
    // The first bound after the offset: with an odd index it ends the run in which the offset lies.
    let [low, high] = [0, this.#bounds.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#bounds[middle]! > offset) high = middle;
      else low = middle + 1;
    }
    const isData = low % 2 === 1;
    if (isData === (kind === 'data')) return offset;
    return this.#bounds[low] ?? (kind === 'hole' ? this.#size : undefined);
  }
}
