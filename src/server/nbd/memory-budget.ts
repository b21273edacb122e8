/**
 * The bytes that all connections of a server may hold together: payloads that are being written and replies that wait
 * to be taken. Whoever holds nothing may always go on with one request, so that none waits for others for ever.
 */
export class MemoryBudget {
  readonly #limit: number;
  readonly #waiting = new Set<() => void>();
  #used = 0;

  /** `limit` in bytes. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Hot: whether those that hold something have to wait. */
  get isFull(): boolean {
    return this.#used >= this.#limit;
  }

  /** Takes `length` bytes more, or gives them back where that is negative. */
  change(length: number): void {
    this.#used += length;
    if (length >= 0 || this.#waiting.size === 0 || this.isFull) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const wake of waiting) wake();
  }

  /** Has `wake` called once when there is room again. */
  wait(wake: () => void): void {
    this.#waiting.add(wake);
  }

  /** Forgets somebody who waits. */
  forget(wake: () => void): void {
    this.#waiting.delete(wake);
  }
}
