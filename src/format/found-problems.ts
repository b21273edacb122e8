import type { CheckReport } from './image-format.ts';

const maximumLineCount = 100;

/** What a check that repairs nothing has found: contradictions, of which the first hundred are told. */
export class FoundProblems {
  #count = 0;
  readonly #lines: string[] = [];

  add(line: string): void {
    this.#count += 1;
    if (this.#lines.length < maximumLineCount) this.#lines.push(line);
  }

  report(others: Pick<CheckReport, 'clusters' | 'imageEndOffset'>): CheckReport {
    const counts = { corruptions: this.#count, leaks: 0, corruptionsFixed: 0, leaksFixed: 0 };
    return { ...counts, problems: this.#lines, ...others };
  }
}
