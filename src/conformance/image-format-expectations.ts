import type { BlockDevice } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import type { CreateImageOptions, FormatDevice, WritableFormat, WriteImageOptions } from '../format/image-format.ts';
import { memoryTarget } from './memory-target.ts';

/** What `testImageFormat` may expect of the format, and how it is written. */
export interface ImageFormatSuiteOptions {
  /** A name for each way to write it. */
  readonly ways?: Readonly<Record<string, WriteImageOptions>>;
  /** A name for each way to make an empty image, where the format has `create`. */
  readonly creations?: Readonly<Record<string, Omit<CreateImageOptions, 'size'>>>;
  /** The format's disks have sizes of multiples of this many bytes; a source is rounded up. 1 where nothing is given. */
  readonly sizeUnit?: number;
  /** Whether a cut-off file is known by itself; true where nothing is given. */
  readonly detectsTruncation?: boolean;
  /** Whether zeros of the disk take no room in the file; true where nothing is given. */
  readonly sparse?: boolean;
  /** Whether one disk gives the same file each time; false where a new identity is in each. True where nothing is given. */
  readonly reproducible?: boolean;
}

/** The format, one way to write it, and the options with nothing left out, as the parts of the suite take them. */
export interface ImageFormatExpectations extends Required<Omit<ImageFormatSuiteOptions, 'ways' | 'creations'>> {
  readonly format: WritableFormat;
  readonly writeOptions: WriteImageOptions;
}

/** What images are called in the suite, and so in errors. */
export const testImageName = 'test image';

/** The image of `source`, written the way that is being tested. */
export async function imageBytes(
  { format, writeOptions }: ImageFormatExpectations,
  source: BlockDevice,
): Promise<Uint8Array> {
  const target = memoryTarget({ seekable: true, zeroed: true });
  await format.write(source, target, writeOptions);
  return target.bytes();
}

/** Opens an image in memory. */
export async function openBytes({ format }: ImageFormatExpectations, image: Uint8Array): Promise<FormatDevice> {
  return format.open(memoryDevice(image, { readOnly: true }), { name: testImageName });
}
