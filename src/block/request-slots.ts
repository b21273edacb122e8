/** Lets so many requests be under way at a time; the others wait for their turn, in order. */
export class RequestSlots {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** `count` is at least 1. */
  constructor(count: number) {
    this.#free = count;
  }

  /** Runs `work` when it is its turn. */
  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.#free -= 1;
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#free += 1;
      else next();
    }
  }
}
