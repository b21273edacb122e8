import assert from 'node:assert/strict';
import fc from 'fast-check';
import { isVarveError } from '../../src/base/varve-error.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { damaged, damages, readOrRefusal } from '../../src/conformance/image-format-damage.ts';
import { openImage } from '../../src/format/formats.ts';
import type { ImageFormat } from '../../src/format/image-format.ts';

/**
 * That an image of `content` with changed bytes (most of them in its first `headLength`) or a cut end is refused by
 * name, or read; and so by its check.
 */
export async function assertSurvivesDamage(
  format: ImageFormat,
  image: Uint8Array,
  content: Uint8Array,
  headLength: number,
): Promise<void> {
  const name = `sample.${format.name}`;
  const read = async (bytes: Uint8Array): Promise<Uint8Array | undefined> => {
    await check(format, bytes, name);
    return await readOrRefusal(() => openImage(memoryDevice(bytes), { name, format: format.name }), name);
  };
  const property = fc.asyncProperty(damages(headLength), async (changes) => {
    await read(damaged(image, changes));
  });
  await fc.assert(property, { numRuns: 200 });
  for (let length = 0; length < image.length; length += Math.ceil(image.length / 100)) {
    const rest = await read(image.subarray(0, length));
    if (rest !== undefined) assert.equal(Buffer.compare(rest, content), 0, `cut at ${length}`);
  }
}

async function check(format: ImageFormat, bytes: Uint8Array, name: string): Promise<void> {
  try {
    await format.check?.(memoryDevice(bytes), { name });
  } catch (error) {
    assert.ok(isVarveError(error, 'CORRUPT', 'UNSUPPORTED') && error.message.includes(name), `${error}`);
  }
}
