const maximumProblemCount = 100;

/** What a check has found so far. */
export class Findings {
  corruptions = 0;
  leaks = 0;
  /** One line for each of the first hundred. */
  readonly problems: string[] = [];
  /** Why some references may not have been counted, so that nothing may be freed; undefined where all were. */
  hidden: string | undefined;

  /** Counts `times` contradictions; `describe` is only called while there is room for its line. */
  corrupt(describe: () => string, times = 1): void {
    this.corruptions += times;
    this.#note(describe);
  }

  /** A contradiction in something that may hold references to clusters. */
  hide(problem: string): void {
    this.hidden ??= problem;
    this.corrupt(() => problem);
  }

  leak(describe: () => string): void {
    this.leaks += 1;
    this.#note(describe);
  }

  #note(describe: () => string): void {
    if (this.problems.length < maximumProblemCount) this.problems.push(describe());
  }
}
