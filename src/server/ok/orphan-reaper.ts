import { descendantsOf, reapChild } from '../../linux/process-tree.ts';

const pauseMs = 50;

/**
 * Takes note of the ends of processes that were adopted, so that their numbers can be used again. Node looks after the
 * children that it has started, at once: what has ended and is still there after a pause is not one of them.
 */
export class OrphanReaper implements Disposable {
  #seen = new Set<number>();
  #timer: NodeJS.Timeout | undefined;

  constructor() {
    process.on('SIGCHLD', this.#onChildEnd);
  }

  [Symbol.dispose](): void {
    process.off('SIGCHLD', this.#onChildEnd);
    clearTimeout(this.#timer);
  }

  readonly #onChildEnd = (): void => {
    this.#timer ??= setTimeout(() => this.#look(), pauseMs).unref();
  };

  #look(): void {
    this.#timer = undefined;
    const ended = descendantsOf(process.pid).filter(({ isZombie, parent }) => isZombie && parent === process.pid);
    for (const { pid } of ended) if (this.#seen.has(pid)) reapChild(pid);
    this.#seen = new Set(ended.map(({ pid }) => pid).filter((pid) => !this.#seen.has(pid)));
    if (this.#seen.size > 0) this.#onChildEnd();
  }
}
