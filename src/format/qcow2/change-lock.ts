import { Mutex } from '../../base/mutex.ts';
import type { MaybePromise } from '../../block/block-device.ts';
import { runSteps, type Steps } from '../../block/run-steps.ts';

/**
 * Lets one job at a time change an image's tables, at once where nobody else does; and knows what is under way that
 * uses clusters which it found in them, so that clusters are not given up under somebody who reads or writes them.
 */
export class ChangeLock {
  readonly #mutex = new Mutex();
  readonly #inUse = new Set<Promise<unknown>>();

  /** Runs a job when those before it are done. */
  change<T>(job: () => Steps<T>): MaybePromise<T> {
    const lock = this.#mutex.tryLock();
    return lock === undefined ? this.#changeLater(job) : runAndRelease(job, lock);
  }

  /** Remembers a request until it is done, if it is not yet. */
  track(pending: MaybePromise<void>): MaybePromise<void> {
    if (pending === undefined) return undefined;
    this.#inUse.add(pending);
    const forget = (): void => void this.#inUse.delete(pending);
    pending.then(forget, forget);
    return pending;
  }

  /** Is done when all is that was under way at the call. */
  settled(): MaybePromise<void> {
    if (this.#inUse.size === 0) return undefined;
    return Promise.allSettled(this.#inUse).then(() => undefined);
  }

  async #changeLater<T>(job: () => Steps<T>): Promise<T> {
    return runAndRelease(job, await this.#mutex.lock());
  }
}

function runAndRelease<T>(job: () => Steps<T>, lock: Disposable): MaybePromise<T> {
  let pending: MaybePromise<T>;
  try {
    pending = runSteps(job());
  } catch (error) {
    lock[Symbol.dispose]();
    throw error;
  }
  if (pending instanceof Promise) return pending.finally(() => lock[Symbol.dispose]());
  lock[Symbol.dispose]();
  return pending;
}
