import { describe } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import type { ImageFormat, WritableFormat } from '../format/image-format.ts';
import { testBlockDevice } from './block-device.ts';
import { testCreating } from './image-format-creating.ts';
import { testDamage } from './image-format-damage.ts';
import { type ImageFormatSuiteOptions, imageBytes, openBytes } from './image-format-expectations.ts';
import { testMapping } from './image-format-mapping.ts';
import { testOpening } from './image-format-opening.ts';
import { testWritingImages } from './image-format-writing.ts';

/**
 * The conformance suite of `ImageFormat`: a test for every clause of the interface, for each way to write the format,
 * with the suite of `BlockDevice` on what it opens; and where the format has `create`, for each way to make an image, with
 * that suite on what is opened to be written.
 */
export function testImageFormat(format: WritableFormat, options: ImageFormatSuiteOptions = {}): void {
  const { ways = { 'as it comes': {} }, sizeUnit = 1 } = options;
  const { detectsTruncation = true, sparse = true, reproducible = true } = options;
  for (const [way, writeOptions] of Object.entries(ways)) {
    const expected = { format, writeOptions, sizeUnit, detectsTruncation, sparse, reproducible };
    describe(`${format.name}, ${way}`, () => {
      testWritingImages(expected);
      testOpening(expected);
      testMapping(expected);
      testDamage(expected);
      const sizes = [512, 4096, 65536, 200_192].filter((size) => size % sizeUnit === 0);
      testBlockDevice(
        'its disk',
        async (content) => openBytes(expected, await imageBytes(expected, memoryDevice(content))),
        { writable: false, synchronous: true, sizes },
      );
    });
  }
  if (!isCreating(format)) return;
  for (const [way, createOptions] of Object.entries(options.creations ?? { 'as it comes': {} })) {
    describe(`${format.name}, created ${way}`, () => testCreating({ format, options: createOptions, sizeUnit }));
  }
}

function isCreating(format: ImageFormat): format is ImageFormat & Required<Pick<ImageFormat, 'create'>> {
  return format.create !== undefined;
}
