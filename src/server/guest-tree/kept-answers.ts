import { LruMap } from '../../base/lru.ts';
import type { MaybePromise } from '../../block/block-device.ts';

/** Answers about files that are worth keeping; one that several ask for at the same time is found out once. */
export class KeptAnswers<T> {
  readonly #known: LruMap<number, T>;
  readonly #asked = new Map<number, Promise<T>>();
  readonly #weightOf: (answer: T) => number;

  /** `capacity` in bytes, which `weightOf` counts. */
  constructor(capacity: number, weightOf: (answer: T) => number) {
    this.#known = new LruMap(capacity);
    this.#weightOf = weightOf;
  }

  /** The answer, where it is there. */
  known(node: number): T | undefined {
    return this.#known.get(node);
  }

  /** The answer, at once where it is there; failures are not kept. */
  get(node: number, find: () => Promise<T>): MaybePromise<T> {
    return this.#known.get(node) ?? this.#asked.get(node) ?? this.#ask(node, find);
  }

  #ask(node: number, find: () => Promise<T>): Promise<T> {
    const asking = find()
      .then((answer) => {
        this.#known.set(node, answer, this.#weightOf(answer));
        return answer;
      })
      .finally(() => this.#asked.delete(node));
    this.#asked.set(node, asking);
    return asking;
  }
}
