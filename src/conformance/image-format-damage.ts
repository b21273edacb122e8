import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../base/varve-error.ts';
import { alignUp } from '../bytes/align.ts';
import { contentOf, extentsOf } from './device-content.ts';
import { type ImageFormatExpectations, imageBytes, openBytes, testImageName } from './image-format-expectations.ts';
import { mixedDisk } from './image-format-samples.ts';

/** What a hostile image may do at most before it is refused; such a disk is not read whole. */
const maximumReadLength = 2 ** 20;
const cutCount = 60;

/** What becomes of files that are cut off or changed. */
export function testDamage(expected: ImageFormatExpectations): void {
  const { detectsTruncation, sizeUnit } = expected;
  const disk = mixedDisk(alignUp(1_000_000, sizeUnit));
  const whole = imageBytes(expected, disk);

  test('a file that is cut off is CORRUPT, by name, or gives what it held all the same', async () => {
    if (!detectsTruncation) return;
    const image = await whole;
    const content = await contentOf(disk);
    let refusedCount = 0;
    for (let cut = 0; cut < cutCount; cut += 1) {
      const length = Math.floor((image.length * cut) / cutCount);
      const damaged = await readAll(expected, image.subarray(0, length));
      if (damaged instanceof Uint8Array) assert.equal(Buffer.compare(damaged, content), 0, `cut at ${length}`);
      else refusedCount += 1;
    }
    assert.ok(refusedCount > cutCount / 4, `only ${refusedCount} of ${cutCount} cuts were noticed`);
  });

  test('changed bytes end in an error with a code, or in some content', async () => {
    const image = await whole;
    const change = fc.record({ place: places(image.length), value: fc.integer({ min: 0, max: 255 }) });
    const property = fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 6 }), async (changes) => {
      const damaged = image.slice();
      for (const { place, value } of changes) damaged[place] = value;
      await readAll(expected, damaged);
    });
    await fc.assert(property, { numRuns: 300 });
  });
}

/** Bytes of a file, those at its start more often, where headers are. */
function places(length: number): fc.Arbitrary<number> {
  return fc.oneof(fc.integer({ min: 0, max: Math.min(length - 1, 120) }), fc.integer({ min: 0, max: length - 1 }));
}

/** The disk in an image, as far as it is short, or nothing where it is refused in an acceptable way. */
async function readAll(expected: ImageFormatExpectations, image: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    await using opened = await openBytes(expected, image);
    const length = Math.min(opened.size, maximumReadLength);
    if (length === 0) return new Uint8Array(0);
    await extentsOf(opened, 0, length);
    const last = opened.size - Math.min(opened.size, 4096);
    if (last > length) await contentOf(opened, last, opened.size - last);
    return await contentOf(opened, 0, length);
  } catch (error) {
    assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED', 'PERMISSION'), `${error}`);
    assert.ok(error.message.includes(testImageName), error.message);
    return undefined;
  }
}
