import type { MemoryBudget } from '../nbd/memory-budget.ts';

/** In bytes: short answers, lists of names, and the longest READ with what stands around it. */
const lengths = [2 ** 13, 2 ** 17, 2 ** 18 + 2 ** 12] as const;
/** How many of each are kept for later. */
const spares = [64, 16, 16] as const;

/** Room for answers, which is used again and again. What is taken counts against what all clients may hold. */
export class ReplyBuffers {
  readonly #budget: MemoryBudget;
  readonly #spare: Uint8Array[][] = lengths.map(() => []);

  constructor(budget: MemoryBudget) {
    this.#budget = budget;
  }

  /** At least `length` bytes, with whatever was in them before. */
  take(length: number): Uint8Array {
    const kind = lengths.findIndex((each) => each >= length);
    if (kind < 0) throw new RangeError(`no answer has ${length} bytes`);
    const buffer = this.#spare[kind]!.pop() ?? new Uint8Array(lengths[kind]!);
    this.#budget.change(buffer.length);
    return buffer;
  }

  giveBack(buffer: Uint8Array): void {
    this.#budget.change(-buffer.length);
    const kind = lengths.indexOf(buffer.length as (typeof lengths)[number]);
    const spare = this.#spare[kind]!;
    if (spare.length < spares[kind]!) spare.push(buffer);
  }
}
