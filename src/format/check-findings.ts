import { VarveError } from '../base/varve-error.ts';
import { throwIfAborted } from './disk-pieces.ts';
import type { CheckImageOptions, CheckReport } from './image-format.ts';

const maximumProblems = 100;

/** What a check of an image has found, and set right. */
export class CheckFindings {
  /** The image's name in errors. */
  readonly name: string;
  readonly #options: CheckImageOptions;
  readonly #problems: string[] = [];
  #corruptions = 0;
  #corruptionsFixed = 0;
  #leaks = 0;
  #leaksFixed = 0;

  /** @throws VarveError `UNSUPPORTED` where a repair is asked for that the format does not have */
  constructor(format: string, options: CheckImageOptions, canRepair = false) {
    this.name = options.name;
    this.#options = options;
    if (options.repair === undefined || canRepair) return;
    const advice = 'convert it to a qcow2 image, which can be';
    throw new VarveError('UNSUPPORTED', `cannot repair ${this.name}: ${format} images are checked only; ${advice}`);
  }

  get repair(): CheckImageOptions['repair'] {
    return this.#options.repair;
  }

  /** How many contradictions are left. */
  get corruptions(): number {
    return this.#corruptions;
  }

  corruption(problem: string, isFixed = false): void {
    if (isFixed) this.#corruptionsFixed += 1;
    else this.#corruptions += 1;
    this.#note(problem);
  }

  /** So many clusters that are taken and that nothing uses. */
  leak(count: number, problem: string, isFixed = false): void {
    if (isFixed) this.#leaksFixed += count;
    else this.#leaks += count;
    this.#note(problem);
  }

  /** So many bytes of the disk are looked at. @throws VarveError `ABORTED` */
  progress(doneBytes: number): void {
    throwIfAborted(this.#options.signal);
    this.#options.onProgress?.(doneBytes);
  }

  report(clusters: CheckReport['clusters'], imageEndOffset?: number): CheckReport {
    return {
      corruptions: this.#corruptions,
      leaks: this.#leaks,
      corruptionsFixed: this.#corruptionsFixed,
      leaksFixed: this.#leaksFixed,
      problems: this.#problems,
      ...(clusters === undefined ? {} : { clusters }),
      ...(imageEndOffset === undefined ? {} : { imageEndOffset }),
    };
  }

  #note(problem: string): void {
    if (this.#problems.length < maximumProblems) this.#problems.push(problem);
  }
}
