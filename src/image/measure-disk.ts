import { VarveError } from '../base/varve-error.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { writableFormatNamed } from '../format/formats.ts';
import type { ImageMeasure } from '../format/image-format.ts';
import type { ExportOptions } from './export-disk.ts';
import type { Disk } from './open-disk.ts';
import { writeOptionsOf } from './write-options.ts';

/** What is measured for: the options that `exportDisk` has. */
export type MeasureOptions = Pick<ExportOptions, 'clusterSize' | 'formatOptions' | 'signal'>;

/**
 * How large a file of the format `format` would be with what a disk holds, or with an empty disk of so many bytes; not
 * compressed, which nobody knows before.
 *
 * @throws VarveError `UNSUPPORTED` for a format that cannot tell, `INVALID`, and what reading the disk throws
 */
export async function measureDisk(
  source: Disk | number,
  format: string,
  options: MeasureOptions = {},
): Promise<ImageMeasure> {
  const { measure, name } = writableFormatNamed(format);
  if (measure === undefined) {
    throw new VarveError('UNSUPPORTED', `how large a ${name} file would be cannot be told beforehand`);
  }
  const device = typeof source === 'number' ? memoryDevice(source) : source.device;
  return await measure(device, writeOptionsOf(options));
}
