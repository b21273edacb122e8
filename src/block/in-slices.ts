import { setImmediate } from 'node:timers/promises';
import type { MaybePromise } from './block-device.ts';

/**
 * Does a long synchronous job on a range in slices, and lets other things happen between them: at once where the
 * range is no longer than one slice, with a promise otherwise. Lengths in bytes.
 */
export function inSlices(
  offset: number,
  length: number,
  sliceLength: number,
  work: (offset: number, length: number) => void,
): MaybePromise<void> {
  if (length > sliceLength) return inManySlices(offset, length, sliceLength, work);
  return work(offset, length);
}

async function inManySlices(
  offset: number,
  length: number,
  sliceLength: number,
  work: (offset: number, length: number) => void,
): Promise<void> {
  for (let done = 0; done < length; done += sliceLength) {
    if (done > 0) await setImmediate();
    work(offset + done, Math.min(sliceLength, length - done));
  }
}
