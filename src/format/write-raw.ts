import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import { dataRanges } from './data-ranges.ts';
import { type DiskPiece, diskPieces, throwIfAborted } from './disk-pieces.ts';
import type { WriteImageOptions } from './image-format.ts';
import type { ImageTarget } from './image-target.ts';
import { zeroRuns } from './zero-runs.ts';

/** Blocks of zeros this long are left out of a file, as other programs do; in bytes. */
const zeroBlockSize = 4096;
/** After so many bytes of zeros, look whether somebody wants to stop. */
const gapSliceLength = 64 * 2 ** 20;

/**
 * Writes a disk as it is. What reads as zeros is left out where the target is zero anyway, and is written or zeroed
 * elsewhere, so that a device or a pipe gets all of it.
 *
 * @throws VarveError `INVALID` for options that raw files do not have, `NO_SPACE` where it cannot fit, `ABORTED`
 */
export async function writeRaw(
  source: BlockDevice,
  target: ImageTarget,
  options: WriteImageOptions = {},
): Promise<void> {
  const { compression = 'none', clusterSize, onProgress, signal } = options;
  if (compression !== 'none') throw new VarveError('INVALID', 'a raw file cannot be compressed; choose qcow2 for that');
  if (clusterSize !== undefined) throw new VarveError('INVALID', 'a raw file has no clusters to choose the size of');
  refuseOptions(options.options);
  refuseSmallTarget(source, target);
  let position = 0;
  const ranges = dataRanges(source, zeroBlockSize);
  for await (const piece of diskPieces(source, ranges, { alignment: zeroBlockSize, signal })) {
    await writeGap(target, position, piece.offset, options);
    await writePiece(target, piece);
    position = piece.offset + piece.length;
    onProgress?.(position);
  }
  await writeGap(target, position, source.size, options);
  await target.finish(source.size);
}

function refuseOptions(options: WriteImageOptions['options'] = {}): void {
  const [name] = Object.keys(options);
  if (name !== undefined) throw new VarveError('INVALID', `a raw file has no option ${JSON.stringify(name)}`);
}

function refuseSmallTarget(source: BlockDevice, target: ImageTarget): void {
  if (target.capacity === undefined || target.capacity >= source.size) return;
  const sizes = `the disk has ${source.size} bytes and its target ${target.capacity}`;
  throw new VarveError('NO_SPACE', `cannot write the disk: ${sizes}`);
}

async function writePiece(target: ImageTarget, { bytes, length, offset }: DiskPiece): Promise<void> {
  const content = bytes.subarray(0, length);
  if (!target.seekable) return target.write(content, offset);
  for (const run of zeroRuns(content, zeroBlockSize)) {
    const pending = writeRun(target, content.subarray(run.start, run.end), offset + run.start, run.isZero);
    if (pending !== undefined) await pending;
  }
}

function writeRun(target: ImageTarget, bytes: Uint8Array, offset: number, isZero: boolean): MaybePromise<void> {
  if (!isZero) return target.write(bytes, offset);
  return target.zeroed ? undefined : target.zero(offset, bytes.length);
}

async function writeGap(target: ImageTarget, start: number, end: number, options: WriteImageOptions): Promise<void> {
  if (end === start) return;
  for (let offset = start; offset < end && !target.zeroed; offset += gapSliceLength) {
    throwIfAborted(options.signal);
    await target.zero(offset, Math.min(gapSliceLength, end - offset));
    options.onProgress?.(Math.min(end, offset + gapSliceLength));
  }
  options.onProgress?.(end);
}
