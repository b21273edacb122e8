/** A range that somebody holds. */
class Hold {
  readonly start: number;
  readonly end: number;
  /** Made when the first one waits: most holds are given back before anybody does. */
  released: PromiseWithResolvers<void> | undefined;

  constructor(start: number, end: number) {
    this.start = start;
    this.end = end;
  }
}

/** Lets changes of overlapping ranges happen one after the other. Ranges are [start, end), of blocks or bytes. */
export class RangeLock {
  /** Those in flight: a few, or as many as a client's queue is deep. */
  readonly #holds = new Set<Hold>();

  /**
   * Resolves when something that overlaps the range is given back; undefined when nothing does, and `hold` may be
   * called at once.
   */
  conflict(start: number, end: number): Promise<void> | undefined {
    for (const hold of this.#holds) {
      if (hold.start >= end || start >= hold.end) continue;
      hold.released ??= Promise.withResolvers<void>();
      return hold.released.promise;
    }
    return undefined;
  }

  /** Holds a range that nobody else does until it is disposed of. */
  hold(start: number, end: number): Disposable {
    const hold = new Hold(start, end);
    this.#holds.add(hold);
    return {
      [Symbol.dispose]: () => {
        this.#holds.delete(hold);
        hold.released?.resolve();
      },
    };
  }
}
