import { alignDown, alignUp } from '../../bytes/align.ts';
import type { MappedExtent } from '../../format/image-format.ts';

/** What moving a disk piece by piece needs to know of it. */
export interface StepPlanOptions {
  /** The runs of the whole disk; called for each length that is tried. */
  readonly runs: () => AsyncIterable<MappedExtent>;
  /** What the new file takes besides data, in bytes. */
  readonly overhead: number;
  /** What data in the new file is a multiple of, in bytes. */
  readonly granularity: number;
  /** How much may be taken, in bytes. */
  readonly room: number;
}

/** File systems give back whole blocks only; in bytes. */
const blockSize = 4096;
const mebibyte = 2 ** 20;
const stepLengths = [256, 64, 16, 4, 2].map((count) => count * mebibyte);

/** How much of a disk to move at once so that it fits; lengths in bytes. */
export interface StepPlan {
  /** Undefined where it does not fit however it is done. */
  readonly stepLength: number | undefined;
  /** What is needed with the smallest steps. */
  readonly needed: number;
}

/** The longest steps that fit. */
export async function planSteps({ granularity, overhead, room, runs }: StepPlanOptions): Promise<StepPlan> {
  let needed = 0;
  for (const stepLength of stepLengths) {
    needed = overhead + (await peakOf(runs(), stepLength, granularity));
    if (needed <= room) return { stepLength, needed };
  }
  return { stepLength: undefined, needed };
}

/** How much more than now old and new file together take at most, when each step's source is freed after it. */
async function peakOf(runs: AsyncIterable<MappedExtent>, stepLength: number, granularity: number): Promise<number> {
  let written = 0;
  let freed = 0;
  let freedInStep = 0;
  let stepEnd = stepLength;
  let peak = 0;
  for await (const run of cut(runs, stepLength)) {
    if (run.offset >= stepEnd) {
      freed += freedInStep;
      freedInStep = 0;
      stepEnd = alignDown(run.offset, stepLength) + stepLength;
    }
    if (run.kind !== 'data') continue;
    written += alignUp(run.offset + run.length, granularity) - alignDown(run.offset, granularity);
    freedInStep += freeable(run);
    peak = Math.max(peak, written - freed);
  }
  return peak;
}

/** How many bytes punching out a run gives back. */
function freeable({ compressed, depth, hostOffset, length }: MappedExtent): number {
  if (hostOffset === undefined || compressed || depth !== 0) return 0;
  return Math.max(0, alignDown(hostOffset + length, blockSize) - alignUp(hostOffset, blockSize));
}

/** Cuts runs where multiples of `length` are. */
export async function* cut(runs: AsyncIterable<MappedExtent>, length: number): AsyncGenerator<MappedExtent, undefined> {
  for await (const run of runs) {
    const end = run.offset + run.length;
    for (let offset = run.offset; offset < end; ) {
      const stop = Math.min(end, alignDown(offset, length) + length);
      const place = run.hostOffset === undefined ? {} : { hostOffset: run.hostOffset + offset - run.offset };
      yield { ...run, offset, length: stop - offset, ...place };
      offset = stop;
    }
  }
}
