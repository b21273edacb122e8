import type { MaybePromise } from './fuse-operations.ts';

/** What `next` makes of a value: at once, where that is there. */
export function then<T, Result>(value: MaybePromise<T>, next: (value: T) => Result): MaybePromise<Result> {
  return value instanceof Promise ? value.then(next) : next(value);
}
