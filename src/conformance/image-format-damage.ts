import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { isVarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
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
      const rest = await readAll(expected, image.subarray(0, length));
      if (rest !== undefined) assert.equal(Buffer.compare(rest, content), 0, `cut at ${length}`);
      else refusedCount += 1;
    }
    assert.ok(refusedCount > cutCount / 4, `only ${refusedCount} of ${cutCount} cuts were noticed`);
  });

  test('changed bytes end in an error with a code, or in some content', async () => {
    const image = await whole;
    const property = fc.asyncProperty(damages(image.length), async (damage) => {
      await readAll(expected, damaged(image, damage));
    });
    await fc.assert(property, { numRuns: 150 });
  });
}

/** New bytes for some place of an image. */
export interface Damage {
  readonly place: number;
  readonly bytes: Uint8Array;
}

/** Some changes to an image of `length` bytes: to single bytes, and to fields of 4 and 8 bytes, wherever they are. */
export function damages(length: number): fc.Arbitrary<readonly Damage[]> {
  const place = fc.oneof(fc.integer({ min: 0, max: Math.min(length, 120) }), fc.integer({ min: 0, max: length }));
  const byte = fc.record({ place, bytes: fc.uint8Array({ minLength: 1, maxLength: 1 }) });
  const field = fc.record({
    place: place.map((offset) => offset - (offset % 8)),
    bytes: fc.constantFrom(...nastyFields),
  });
  return fc.array(fc.oneof(byte, field), { minLength: 1, maxLength: 6 });
}

/** The image with all of the changes that lie inside. */
export function damaged(image: Uint8Array, changes: readonly Damage[]): Uint8Array {
  // Not slice: that of a Buffer copies nothing.
  const copy = new Uint8Array(image);
  for (const { bytes, place } of changes) copy.set(bytes.subarray(0, Math.max(0, copy.length - place)), place);
  return copy;
}

/** What a field may hold that nobody thought of. */
const nastyFields = [
  '00000000',
  'ffffffff',
  '7fffffff',
  '0000000000000000',
  'ffffffffffffffff',
  '7fffffffffffffff',
  '0010000000000000',
  '0000000000010000',
  '8000000000010000',
  '80ffffffffffff00',
  '4000000000000001',
  '7fffffffffff0001',
  '0000000000000001',
].map((digits) => Uint8Array.from(Buffer.from(digits, 'hex')));

/** The disk in an image, as far as it is short, or nothing where it is refused in an acceptable way. */
async function readAll(expected: ImageFormatExpectations, image: Uint8Array): Promise<Uint8Array | undefined> {
  return readOrRefusal(() => openBytes(expected, image), testImageName);
}

/**
 * The start of the disk that `open` gives; undefined where that or reading it fails as a damaged image should: with
 * a code, and a message that has `name` in it. Any other failure is thrown.
 */
export async function readOrRefusal(open: () => Promise<BlockDevice>, name: string): Promise<Uint8Array | undefined> {
  try {
    await using opened = await open();
    const length = Math.min(opened.size, maximumReadLength);
    if (length === 0) return new Uint8Array(0);
    await extentsOf(opened, 0, length);
    const last = opened.size - Math.min(opened.size, 4096);
    if (last > length) await contentOf(opened, last, opened.size - last);
    return await contentOf(opened, 0, length);
  } catch (error) {
    assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED', 'PERMISSION'), `${error}`);
    assert.ok(error.message.includes(name), error.message);
    return undefined;
  }
}
