import type { BlockDevice } from '../../block/block-device.ts';
import type { ImageMeasure, WriteImageOptions } from '../image-format.ts';
import type { ImageTarget } from '../image-target.ts';
import { allocationOf } from './grain-allocation.ts';
import { sectorSize } from './sparse-layout.ts';
import { metadataPlaces } from './sparse-metadata.ts';
import { writeMonolithicSparse } from './write-monolithic-sparse.ts';
import { grainSize, tableLength, type WritePlan, writePlanFor } from './write-plan.ts';
import { writeStreamOptimized } from './write-stream-optimized.ts';

/** What a grain that does not compress takes with its marker, in bytes, in whole sectors. */
const longestGrain = grainSize + sectorSize;

/**
 * Writes a disk as one VMDK file: `options.subformat` is `streamOptimized` (compressed with deflate; the default, and
 * what OVA files hold) or `monolithicSparse`.
 *
 * @throws VarveError `INVALID` for other options, `ABORTED`, `UNSUPPORTED` for a file that would be over 2 TiB long
 */
export async function writeVmdk(
  source: BlockDevice,
  target: ImageTarget,
  options: WriteImageOptions = {},
): Promise<void> {
  const plan = writePlanFor(source.size, target.fileName, options);
  if (plan.subformat === 'streamOptimized') await writeStreamOptimized(source, target, plan, options);
  else await writeMonolithicSparse(source, target, plan, options);
  options.onProgress?.(source.size);
}

/** How large `writeVmdk` makes a file; where it compresses, at most. */
export async function measureVmdk(source: BlockDevice, options: WriteImageOptions = {}): Promise<ImageMeasure> {
  const plan = writePlanFor(source.size, undefined, options);
  const { count, tables } = await allocationOf(source);
  const grainCount = Math.ceil(source.size / grainSize);
  return { required: fileSize(plan, count, tables.size), fullyAllocated: fileSize(plan, grainCount, plan.tableCount) };
}

function fileSize(plan: WritePlan, grainCount: number, usedTables: number): number {
  if (plan.subformat === 'monolithicSparse') return metadataPlaces(plan).overHead * sectorSize + grainCount * grainSize;
  const directory = Math.ceil((plan.tableCount * 4) / sectorSize);
  // Markers of the directory, the footer and the end; the footer itself.
  const sectors = directory + 4 + usedTables * (1 + tableLength);
  return grainSize + grainCount * longestGrain + sectors * sectorSize;
}
