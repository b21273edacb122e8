import { VarveError } from '../base/varve-error.ts';
import { throwIfAborted } from './disk-pieces.ts';
import type { CheckImageOptions, CheckReport } from './image-format.ts';

const maximumProblems = 100;

/** What a check of an image that is only looked at has found. */
export class CheckFindings {
  /** The image's name in errors. */
  readonly name: string;
  readonly #options: CheckImageOptions;
  readonly #problems: string[] = [];
  #corruptions = 0;
  #leaks = 0;

  /** @throws VarveError `UNSUPPORTED` where a repair is asked for */
  constructor(format: string, options: CheckImageOptions) {
    this.name = options.name;
    this.#options = options;
    if (options.repair === undefined) return;
    const advice = 'convert it to a qcow2 image, which can be';
    throw new VarveError('UNSUPPORTED', `cannot repair ${this.name}: ${format} images are checked only; ${advice}`);
  }

  corruption(problem: string): void {
    this.#corruptions += 1;
    this.#note(problem);
  }

  /** So many clusters that are taken and that nothing uses. */
  leak(count: number, problem: string): void {
    this.#leaks += count;
    this.#note(problem);
  }

  /** So many bytes of the disk are looked at. @throws VarveError `ABORTED` */
  progress(doneBytes: number): void {
    throwIfAborted(this.#options.signal);
    this.#options.onProgress?.(doneBytes);
  }

  report(clusters: NonNullable<CheckReport['clusters']>, imageEndOffset?: number): CheckReport {
    return {
      corruptions: this.#corruptions,
      leaks: this.#leaks,
      corruptionsFixed: 0,
      leaksFixed: 0,
      problems: this.#problems,
      clusters,
      ...(imageEndOffset === undefined ? {} : { imageEndOffset }),
    };
  }

  #note(problem: string): void {
    if (this.#problems.length < maximumProblems) this.#problems.push(problem);
  }
}
