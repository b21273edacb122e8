/**
 * Lets one at a time through, in the order in which they came:
 *
 *     using _lock = await mutex.lock();
 */
export class Mutex {
  #locked = false;
  readonly #waiting: (() => void)[] = [];

  /** Whether somebody holds the lock now. */
  get locked(): boolean {
    return this.#locked;
  }

  /** Waits for the lock. Whoever gets it disposes of it; disposing twice is fine. */
  async lock(): Promise<Disposable> {
    if (this.#locked) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#locked = true;
    return this.#holder();
  }

  /** The lock if it is free at once, else `undefined`. */
  tryLock(): Disposable | undefined {
    if (this.#locked) return undefined;
    this.#locked = true;
    return this.#holder();
  }

  #holder(): Disposable {
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (held) this.#release();
        held = false;
      },
    };
  }

  /** Hands the lock to the next in line without opening it between, so that nobody can cut in. */
  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#locked = false;
    else next();
  }
}
