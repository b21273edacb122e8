import type { BlockRun } from '../../block-run.ts';

/** Blocks of a file that stand one behind the other on the disk. */
export interface FileRun {
  /** Which block of the file, and which one of the disk. */
  readonly first: number;
  readonly block: number;
  readonly count: number;
  /** Those that were not written to are zeros. */
  readonly isWritten: boolean;
}

/** Where the blocks of a file are, in memory. */
export class ExtentList {
  readonly #runs: FileRun[];

  /** `runs` are in the order of the file, and become its own. */
  constructor(runs: FileRun[]) {
    this.#runs = runs;
  }

  /** Has blocks of the file be there, whatever was there before. */
  put(run: FileRun): void {
    this.remove(run.first, run.count);
    this.#runs.splice(this.#placeOf(run.first), 0, run);
  }

  /** Has blocks of the file be nowhere. */
  remove(first: number, count: number): void {
    const end = first + count;
    const from = Math.max(0, this.#placeOf(first) - 1);
    let to = from;
    const rest: FileRun[] = [];
    for (; to < this.#runs.length && this.#runs[to]!.first < end; to++) {
      const run = this.#runs[to]!;
      const runEnd = run.first + run.count;
      if (run.first < first) rest.push({ ...run, count: Math.min(run.count, first - run.first) });
      const cut = end - run.first;
      if (runEnd > end) rest.push({ ...run, first: end, block: run.block + cut, count: runEnd - end });
    }
    this.#runs.splice(from, to - from, ...rest);
  }

  /** The run of blocks from block `index` of the file on, at most `count` of them. */
  find(index: number, count: number): BlockRun {
    const run = this.#runs[this.#placeOf(index + 1) - 1];
    const passed = run === undefined ? 0 : index - run.first;
    if (run !== undefined && passed < run.count) {
      const kind = run.isWritten ? 'data' : 'zero';
      return { kind, block: run.block + passed, count: Math.min(count, run.count - passed) };
    }
    const next = this.#runs[this.#placeOf(index)];
    return { kind: 'hole', block: 0, count: Math.min(count, (next?.first ?? Number.POSITIVE_INFINITY) - index) };
  }

  /** How many runs begin before a block of the file. */
  #placeOf(first: number): number {
    let [low, high] = [0, this.#runs.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#runs[middle]!.first < first) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
