/** Counts what could not be kept of files, by what it was and why. */
export class LeftOut {
  readonly #counts = new Map<string, number>();

  note(what: string): void {
    this.#counts.set(what, (this.#counts.get(what) ?? 0) + 1);
  }

  /** `3 devices, which only root may make`, a line each. */
  get lines(): string[] {
    return [...this.#counts].map(([what, count]) => `${count} × ${what}`);
  }
}
