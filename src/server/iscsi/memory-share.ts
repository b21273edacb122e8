import type { MemoryBudget } from '../nbd/memory-budget.ts';

/** Whoever holds less goes on even where all that the server may hold is used up, in bytes: others may be to blame. */
const ownLength = 2 ** 19;

/** What one connection holds of what all may hold together. */
export class MemoryShare {
  readonly #budget: MemoryBudget;
  #held = 0;

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** Hot: whether all is used up, by this one among others. */
  get isHeld(): boolean {
    return this.#budget.isFull && this.#held >= ownLength;
  }

  /** Whether all is used up, and one of `length` bytes more would have more than its own. */
  isTooMuch(length: number): boolean {
    return this.#budget.isFull && this.#held + length > ownLength;
  }

  /** Whether all is used up. */
  get isFull(): boolean {
    return this.#budget.isFull;
  }

  /** Takes `length` bytes more, or gives them back where that is negative. */
  change(length: number): void {
    this.#held += length;
    this.#budget.change(length);
  }

  /** Has `wake` called once when others have given back. */
  wait(wake: () => void): void {
    this.#budget.wait(wake);
  }

  /** Forgets somebody who waits. */
  forget(wake: () => void): void {
    this.#budget.forget(wake);
  }
}
