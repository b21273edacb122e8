import type { MaybePromise } from './block-device.ts';

/** A job in steps: a generator that yields what each step's call returned, and goes on when that is done. */
export type Steps<T = void> = Generator<MaybePromise<void>, T, void>;

/**
 * Runs a job that calls devices several times, synchronously as long as they answer synchronously:
 *
 *     runSteps(function* () { yield device.read(header, 0); yield device.write(header, 4096); }())
 *
 * A step that fails throws at its `yield`. What the job returns is returned; it is never a promise itself.
 */
export function runSteps<T>(steps: Steps<T>): MaybePromise<T> {
  let step = steps.next();
  while (step.done !== true && step.value === undefined) step = steps.next();
  return step.done === true ? step.value : finish(steps, step.value);
}

/** Waits, as a part of a job, for what a call answers: `const table = yield* answerOf(tables.get(offset))`. */
export function* answerOf<T>(pending: MaybePromise<T>): Steps<T> {
  if (!(pending instanceof Promise)) return pending;
  let answer: { readonly value: T } | undefined;
  yield pending.then((value) => {
    answer = { value };
  });
  return answer!.value;
}

async function finish<T>(steps: Steps<T>, first: MaybePromise<void>): Promise<T> {
  for (let pending: MaybePromise<void> = first; ; ) {
    const step = await outcome(pending, steps);
    if (step.done === true) return step.value;
    pending = step.value;
  }
}

async function outcome<T>(
  pending: MaybePromise<void>,
  steps: Steps<T>,
): Promise<IteratorResult<MaybePromise<void>, T>> {
  try {
    await pending;
  } catch (error) {
    return steps.throw(error);
  }
  return steps.next();
}
