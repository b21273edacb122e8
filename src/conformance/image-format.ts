import { describe } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import type { WritableFormat } from '../format/image-format.ts';
import { testBlockDevice } from './block-device.ts';
import { testDamage } from './image-format-damage.ts';
import { type ImageFormatSuiteOptions, imageBytes, openBytes } from './image-format-expectations.ts';
import { testOpening } from './image-format-opening.ts';
import { testWritingImages } from './image-format-writing.ts';

/**
 * The conformance suite of `ImageFormat`: a test for every clause of the interface, for each way to write the format,
 * with the suite of `BlockDevice` on what it opens.
 */
export function testImageFormat(format: WritableFormat, options: ImageFormatSuiteOptions = {}): void {
  const { ways = { 'as it comes': {} }, sizeUnit = 1 } = options;
  const { detectsTruncation = true, sparse = true, reproducible = true } = options;
  for (const [way, writeOptions] of Object.entries(ways)) {
    const expected = { format, writeOptions, sizeUnit, detectsTruncation, sparse, reproducible };
    describe(`${format.name}, ${way}`, () => {
      testWritingImages(expected);
      testOpening(expected);
      testDamage(expected);
      const sizes = [512, 4096, 65536, 200_192].filter((size) => size % sizeUnit === 0);
      testBlockDevice(
        'its disk',
        async (content) => openBytes(expected, await imageBytes(expected, memoryDevice(content))),
        { writable: false, synchronous: true, sizes },
      );
    });
  }
}
