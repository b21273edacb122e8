import { VarveError } from '../../../base/varve-error.ts';
import type { BlockDevice } from '../../../block/block-device.ts';
import { runSteps } from '../../../block/run-steps.ts';
import { Bitmap } from '../../../bytes/bitmap.ts';
import type { DiskRange } from '../../data-ranges.ts';
import { checkHeader } from '../check-header.ts';
import { hostOffsetOf } from '../cluster-entry.ts';
import type { Qcow2Header } from '../header.ts';
import { readHeader } from '../read-header.ts';
import { type BitmapEntry, bitmapFlag, dirtyTrackingType } from './bitmap-directory.ts';
import { findBitmap } from './find-bitmap.ts';
import { checkBitmapTable, readBitmapDirectory, readBitmapTable } from './read-bitmaps.ts';

/**
 * The ranges of the disk that a persistent dirty bitmap of a qcow2 image says were written since it was begun, in order,
 * in whole units of its granularity up to the disk's end. `bitmap` is its name.
 *
 * @throws VarveError `NOT_FOUND`, `CONFLICT` for one whose keeper was cut off, `UNSUPPORTED` for other kinds, `CORRUPT`
 */
export async function* qcow2DirtyRanges(
  file: BlockDevice,
  imageName: string,
  bitmap: string,
): AsyncGenerator<DiskRange, undefined> {
  const header = await readHeader(file, imageName);
  checkHeader(header, file.size, imageName);
  const entry = findBitmap(await runSteps(readBitmapDirectory(file, header, imageName)), bitmap, imageName);
  checkUsable(entry, imageName);
  let last: DiskRange | undefined;
  for await (const range of rangesOf(file, header, entry, imageName)) {
    if (last !== undefined && last.offset + last.length === range.offset) {
      last = { offset: last.offset, length: last.length + range.length };
      continue;
    }
    if (last !== undefined) yield last;
    last = range;
  }
  if (last !== undefined) yield last;
}

function checkUsable({ extraData, flags, name, type }: BitmapEntry, imageName: string): void {
  const which = `bitmap ${JSON.stringify(name)} of ${imageName}`;
  if ((flags & bitmapFlag.inUse) !== 0) {
    throw new VarveError(
      'CONFLICT',
      `${which} says nothing: whoever kept it was cut off; remove it, and begin a new one`,
    );
  }
  const isKnown = extraData.length === 0 || (flags & bitmapFlag.extraDataCompatible) !== 0;
  if (type === dirtyTrackingType && isKnown) return;
  throw new VarveError('UNSUPPORTED', `${which} is of a kind that is not known here`);
}

/** Ranges that do not go over a cluster of the bitmap. */
async function* rangesOf(
  file: BlockDevice,
  header: Qcow2Header,
  entry: BitmapEntry,
  imageName: string,
): AsyncGenerator<DiskRange, undefined> {
  const clusterSize = 2 ** header.clusterBits;
  const granularity = 2 ** entry.granularityBits;
  const coverage = clusterSize * 8 * granularity;
  const table = await runSteps(readBitmapTable(file, header, entry, imageName));
  checkBitmapTable(table, { file, clusterSize, name: imageName });
  for (let index = 0; index * coverage < header.size; index += 1) {
    const [high, low] =
      index * 8 < table.byteLength ? [table.getUint32(index * 8), table.getUint32(index * 8 + 4)] : [0, 0];
    const offset = hostOffsetOf(high, low);
    const start = index * coverage;
    const length = Math.min(coverage, header.size - start);
    if (offset === 0 && (low & 1) === 1) yield { offset: start, length };
    if (offset === 0) continue;
    const bytes = new Uint8Array(clusterSize);
    await file.read(bytes, offset);
    yield* setRanges(Bitmap.fromBytes(bytes, Math.ceil(length / granularity)), granularity, start, header.size);
  }
}

function* setRanges(
  bits: Bitmap,
  granularity: number,
  start: number,
  diskSize: number,
): Generator<DiskRange, undefined> {
  for (let first = bits.nextSet(0); first < bits.size; ) {
    const end = bits.nextClear(first);
    const offset = start + first * granularity;
    yield { offset, length: Math.min(start + end * granularity, diskSize) - offset };
    first = bits.nextSet(end);
  }
}
