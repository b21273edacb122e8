import type { BlockDevice } from '../../block/block-device.ts';
import { dataRanges } from '../data-ranges.ts';
import { diskPieces } from '../disk-pieces.ts';
import type { WriteImageOptions } from '../image-format.ts';
import type { ImageTarget } from '../image-target.ts';
import { zeroRuns } from '../zero-runs.ts';
import { allocationOf, GrainAllocation } from './grain-allocation.ts';
import { sectorSize } from './sparse-layout.ts';
import { type MetadataPlaces, metadataPlaces, sparseMetadata } from './sparse-metadata.ts';
import { grainSize, tableEntry, type WritePlan } from './write-plan.ts';

/**
 * Writes a disk as one sparse extent, whose tables come before its grains. Where the target is seekable, grains of
 * zeros are found and left out, and the tables written last; on the way into a pipe what the disk's extents call data
 * is stored as it is.
 */
export async function writeMonolithicSparse(
  source: BlockDevice,
  target: ImageTarget,
  plan: WritePlan,
  options: WriteImageOptions,
): Promise<void> {
  const places = metadataPlaces(plan);
  if (!target.seekable) return await writeInOrder(source, target, plan, places, options);
  const allocation = await writeGrains(source, target, places, options);
  await writeMetadata(target, plan, places, allocation);
  await target.finish(endOf(places, allocation));
}

async function writeGrains(
  source: BlockDevice,
  target: ImageTarget,
  places: MetadataPlaces,
  { onProgress, signal }: WriteImageOptions,
): Promise<GrainAllocation> {
  const allocation = new GrainAllocation();
  const pieces = diskPieces(source, dataRanges(source, grainSize), { alignment: grainSize, signal });
  for await (const { bytes, length, offset } of pieces) {
    for (const { start, end, isZero } of zeroRuns(bytes, grainSize)) {
      if (isZero) continue;
      const pending = target.write(bytes.subarray(start, end), endOf(places, allocation));
      if (pending !== undefined) await pending;
      allocation.add((offset + start) / grainSize, (offset + end) / grainSize);
    }
    onProgress?.(offset + length);
  }
  return allocation;
}

async function writeInOrder(
  source: BlockDevice,
  target: ImageTarget,
  plan: WritePlan,
  places: MetadataPlaces,
  { onProgress, signal }: WriteImageOptions,
): Promise<void> {
  const allocation = await allocationOf(source);
  await writeMetadata(target, plan, places, allocation);
  let position = places.overHead * sectorSize;
  for await (const piece of diskPieces(source, allocation.ranges(source.size), { alignment: grainSize, signal })) {
    await target.write(piece.bytes, position);
    position += piece.bytes.length;
    onProgress?.(piece.offset + piece.length);
  }
  await target.finish(position);
}

async function writeMetadata(
  target: ImageTarget,
  plan: WritePlan,
  places: MetadataPlaces,
  allocation: GrainAllocation,
): Promise<void> {
  tableEntry(endOf(places, allocation) / sectorSize);
  let position = 0;
  for (const part of sparseMetadata(plan, places, allocation)) {
    if (typeof part !== 'number') await target.write(part, position);
    else if (!target.seekable || !target.zeroed) await target.zero(position, part);
    position += typeof part === 'number' ? part : part.length;
  }
}

/** Where the next grain goes, in bytes. */
function endOf(places: MetadataPlaces, { count }: GrainAllocation): number {
  return places.overHead * sectorSize + count * grainSize;
}
