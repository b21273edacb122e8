import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alignUp } from '../bytes/align.ts';
import { isZero } from '../bytes/is-zero.ts';
import { delayFilter } from '../filter/delay.ts';
import { faultFilter } from '../filter/fault.ts';
import type { FormatDevice } from '../format/image-format.ts';
import { assertEqualBytes, contentOf, extentsOf } from './device-content.ts';
import { type ImageFormatExpectations, imageBytes, openBytes } from './image-format-expectations.ts';
import { mixedDisk, type SampleDisk, sampleDisks } from './image-format-samples.ts';
import { memoryTarget } from './memory-target.ts';

/** A raw image in memory has to stay small. */
const maximumWholeSize = 2 ** 30;

/** The clauses about `write`. */
export function testWritingImages(expected: ImageFormatExpectations): void {
  const { format, reproducible, sizeUnit, sparse, writeOptions } = expected;
  const samples = sampleDisks(sizeUnit).filter(({ source }) => sparse || source.size <= maximumWholeSize);

  test('an image of a disk holds the disk', async () => {
    for (const sample of samples) {
      await using image = await openBytes(expected, await imageBytes(expected, sample.source));
      await assertSameDisk(image, sample, sizeUnit);
    }
  });

  test('so does one that went through a pipe, and one written over old bytes', async () => {
    for (const sample of samples) {
      for (const seekable of [false, true]) {
        const target = memoryTarget({ seekable, zeroed: false });
        await format.write(sample.source, target, writeOptions);
        await using image = await openBytes(expected, target.bytes());
        await assertSameDisk(image, sample, sizeUnit);
      }
    }
  });

  test('a disk that answers late gives the same image', async () => {
    const disk = mixedDisk(alignUp(3_000_000, sizeUnit));
    const target = memoryTarget({ seekable: true, zeroed: true });
    await format.write(delayFilter(disk), target, writeOptions);
    if (reproducible) assertEqualBytes(target.bytes(), await imageBytes(expected, disk), 'the image');
    await using image = await openBytes(expected, target.bytes());
    assertEqualBytes(await contentOf(image), await contentOf(disk), 'the disk');
  });

  test('progress grows up to the size of the disk', async () => {
    const disk = mixedDisk(alignUp(3_000_000, sizeUnit));
    const seen: number[] = [];
    const onProgress = (doneBytes: number): number => seen.push(doneBytes);
    await format.write(disk, memoryTarget({ seekable: true, zeroed: true }), { ...writeOptions, onProgress });
    assert.equal(seen.at(-1), disk.size);
    assert.deepEqual(
      seen,
      seen.toSorted((a, b) => a - b),
    );
  });

  test('a signal stops it, before it starts and on the way', async () => {
    const disk = mixedDisk(alignUp(3_000_000, sizeUnit));
    const target = (): ReturnType<typeof memoryTarget> => memoryTarget({ seekable: true, zeroed: true });
    const aborted = { code: 'ABORTED' };
    await assert.rejects(format.write(disk, target(), { ...writeOptions, signal: AbortSignal.abort() }), aborted);
    const controller = new AbortController();
    const options = { ...writeOptions, signal: controller.signal, onProgress: () => controller.abort() };
    await assert.rejects(format.write(disk, target(), options), aborted);
  });

  test('what a target or a source throws comes out, and nothing else is left behind', async () => {
    const disk = mixedDisk(alignUp(3_000_000, sizeUnit));
    const failing = {
      ...memoryTarget({ seekable: true, zeroed: true }),
      write: () => Promise.reject(new Error('full')),
    };
    await assert.rejects(format.write(disk, failing, writeOptions), /full/);
    const broken = faultFilter(delayFilter(disk), { rules: [{ operations: ['read'], after: 1, code: 'BUSY' }] });
    await assert.rejects(format.write(broken, memoryTarget({ seekable: true, zeroed: true }), writeOptions), {
      code: 'BUSY',
    });
  });
}

async function assertSameDisk(image: FormatDevice, { name, source }: SampleDisk, sizeUnit: number): Promise<void> {
  assert.equal(image.size, alignUp(source.size, sizeUnit), `size, ${name}`);
  assert.equal(image.information().virtualSize, image.size);
  if (image.size === 0) return;
  for (const disk of [source, image]) {
    for (const extent of await extentsOf(disk)) {
      if (extent.kind !== 'data') continue;
      const actual = await contentOf(image, extent.offset, extent.length);
      assertEqualBytes(actual, await contentOf(source, extent.offset, extent.length), `${name} at ${extent.offset}`);
      if (disk === image && extent.length > 4 * 2 ** 20) assert.ok(!isZero(actual), `${name}: zeros stored as data`);
    }
  }
}
