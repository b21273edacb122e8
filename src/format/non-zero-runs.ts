import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import { dataRanges } from './data-ranges.ts';
import { diskPieces } from './disk-pieces.ts';
import type { WriteImageOptions } from './image-format.ts';
import { zeroRuns } from './zero-runs.ts';

/** What is left out where it is zero, in bytes. */
const grain = 4096;

/** Takes bytes of a disk and where they are. They are the caller's again when it is done. */
export type TakeRun = (bytes: Uint8Array, diskOffset: number) => MaybePromise<void>;

/** Hands over all of a disk that is not zero in order, in runs of 4 KiB to 1 MiB; the last may be padded with zeros. */
export async function nonZeroRuns(
  source: BlockDevice,
  { onProgress, signal }: WriteImageOptions,
  take: TakeRun,
): Promise<void> {
  const pieces = diskPieces(source, dataRanges(source, grain), { alignment: grain, signal });
  for await (const { bytes, length, offset } of pieces) {
    for (const run of zeroRuns(bytes, grain)) {
      if (!run.isZero) await take(bytes.subarray(run.start, run.end), offset + run.start);
    }
    onProgress?.(offset + length);
  }
}
