import type { MaybePromise } from './block-device.ts';

/** A job in steps: a generator that yields what each step's call returned, and goes on when that is done. */
export type Steps = Generator<MaybePromise<void>, void, void>;

/**
 * Runs a job that calls devices several times, synchronously as long as they answer synchronously:
 *
 *     runSteps(function* () { yield device.read(header, 0); yield device.write(header, 4096); }())
 *
 * A step that fails throws at its `yield`.
 */
export function runSteps(steps: Steps): MaybePromise<void> {
  let step = steps.next();
  while (step.done !== true && step.value === undefined) step = steps.next();
  if (step.done !== true) return finish(steps, step.value);
}

async function finish(steps: Steps, first: MaybePromise<void>): Promise<void> {
  for (let pending: MaybePromise<void> = first; ; ) {
    const step = await outcome(pending, steps);
    if (step.done === true) return;
    pending = step.value;
  }
}

async function outcome(pending: MaybePromise<void>, steps: Steps): Promise<IteratorResult<MaybePromise<void>, void>> {
  try {
    await pending;
  } catch (error) {
    return steps.throw(error);
  }
  return steps.next();
}
