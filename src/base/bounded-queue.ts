import { VarveError } from './varve-error.ts';

interface Producer<T> {
  readonly value: T;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

interface Consumer<T> {
  readonly resolve: (result: IteratorResult<T, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * A first-in-first-out queue between the stages of a pipeline. Producers wait while `capacity` values lie in it;
 * consumers iterate with `for await`, several of them sharing the values, each value going to one.
 *
 * `close` ends it after what lies in it; `fail` ends it at once, for both sides. A consumer that leaves its loop
 * early fails it with `ABORTED`, so that no producer waits for ever.
 */
export class BoundedQueue<T> implements AsyncIterable<T> {
  readonly #capacity: number;
  readonly #values: T[] = [];
  readonly #producers: Producer<T>[] = [];
  readonly #consumers: Consumer<T>[] = [];
  #state: 'open' | 'closed' | 'failed' = 'open';
  #error: unknown;

  /** `capacity` counts values and is at least 1. */
  constructor(capacity: number) {
    if (!(Number.isInteger(capacity) && capacity >= 1)) throw new RangeError(`a queue of capacity ${capacity}`);
    this.#capacity = capacity;
  }

  /** How many values lie in the queue. */
  get length(): number {
    return this.#values.length;
  }

  /**
   * Appends `value`: returns at once where there is room, and a promise otherwise.
   *
   * @throws what the queue failed with; `TypeError` after `close`
   */
  push(value: T): void | Promise<void> {
    if (this.#state === 'failed') throw this.#error;
    if (this.#state === 'closed') throw new TypeError('push to a closed queue');
    const consumer = this.#consumers.shift();
    if (consumer !== undefined) return consumer.resolve({ value, done: false });
    if (this.#values.length < this.#capacity) {
      this.#values.push(value);
      return undefined;
    }
    return new Promise<void>((resolve, reject) => this.#producers.push({ value, resolve, reject }));
  }

  /** Nothing comes any more: consumers get what is there, waiting producers' values included, and then end. */
  close(): void {
    if (this.#state !== 'open') return;
    this.#state = 'closed';
    for (const consumer of this.#consumers.splice(0)) consumer.resolve({ value: undefined, done: true });
  }

  /** Ends both sides with `error` and drops what lies in the queue. Only the first failure counts. */
  fail(error: unknown): void {
    if (this.#state === 'failed' || (this.#state === 'closed' && this.#values.length === 0)) return;
    this.#state = 'failed';
    this.#error = error;
    this.#values.length = 0;
    for (const waiting of [...this.#producers.splice(0), ...this.#consumers.splice(0)]) waiting.reject(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<T, undefined> {
    return {
      next: () => this.#next(),
      return: async () => {
        this.fail(new VarveError('ABORTED', 'the reader of a queue stopped before its end'));
        return { value: undefined, done: true };
      },
    };
  }

  async #next(): Promise<IteratorResult<T, undefined>> {
    if (this.#state === 'failed') throw this.#error;
    if (this.#values.length > 0) {
      const value = this.#values.shift() as T;
      this.#admit();
      return { value, done: false };
    }
    if (this.#state === 'closed') return { value: undefined, done: true };
    return new Promise((resolve, reject) => this.#consumers.push({ resolve, reject }));
  }

  /** Moves the producer that waits longest into the room that just came free. */
  #admit(): void {
    const producer = this.#producers.shift();
    if (producer === undefined) return;
    this.#values.push(producer.value);
    producer.resolve();
  }
}
