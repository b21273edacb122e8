import assert from 'node:assert/strict';
import { test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { alignUp } from '../bytes/align.ts';
import { delayFilter } from '../filter/delay.ts';
import { openImage, probeFormat } from '../format/formats.ts';
import { assertEqualBytes, contentOf, extentsOf } from './device-content.ts';
import { type ImageFormatExpectations, imageBytes, openBytes, testImageName } from './image-format-expectations.ts';
import { mixedDisk } from './image-format-samples.ts';

/** The clauses about `probe`, `open` and what it gives. */
export function testOpening(expected: ImageFormatExpectations): void {
  const { format, sizeUnit } = expected;
  const disk = mixedDisk(alignUp(3_000_000, sizeUnit));
  const image = imageBytes(expected, disk);

  test('its content tells its format, and openImage finds it', async () => {
    const file = memoryDevice(await image);
    assert.equal((await probeFormat(file, testImageName)).name, format.name);
    await using opened = await openImage(file, { name: testImageName });
    assert.equal(opened.format, format.name);
  });

  test('probing takes heads of any length, and no text for certain', async () => {
    const whole = (await image).subarray(0, 65536);
    for (const length of [0, 1, 3, 4, 7, 8, 11, 12, 512, whole.length]) {
      const head = whole.subarray(0, length);
      assert.ok(format.probe(head, head.length) >= 0);
    }
    const text = new TextEncoder().encode('Nothing that anybody would take for a disk image.\n'.repeat(20));
    assert.ok(format.probe(text, text.length) <= 1);
  });

  test('information tells the format and the size', async () => {
    await using opened = await openBytes(expected, await image);
    const information = opened.information();
    assert.equal(information.format, format.name);
    assert.equal(information.virtualSize, opened.size);
    assert.equal(information.fileSize, (await image).length);
  });

  test('a file that answers late gives the same disk and the same extents', async () => {
    const late = delayFilter(memoryDevice(await image));
    await using opened = await format.open(late, { name: testImageName });
    await using prompt = await openBytes(expected, await image);
    assertEqualBytes(await contentOf(opened), await contentOf(prompt), 'the disk');
    assert.deepEqual(await extentsOf(opened), await extentsOf(prompt));
  });

  test('many reads at once, some of them overlapping, each get what is there', async () => {
    const late = delayFilter(memoryDevice(await image), { jitterMs: 2, seed: 1 });
    await using opened = await format.open(late, { name: testImageName });
    const content = await contentOf(disk);
    const reads = Array.from({ length: 40 }, async (_, index) => {
      const offset = (index * 98_765) % (content.length - 150_000);
      const actual = await contentOf(opened, offset, 150_000);
      assertEqualBytes(actual, content.subarray(offset, offset + 150_000), `150,000 bytes at ${offset}`);
    });
    await Promise.all(reads);
  });

  test('the file is disposed of with the disk, and when openImage fails', async () => {
    let disposals = 0;
    const counting = (bytes: Uint8Array): ReturnType<typeof memoryDevice> =>
      Object.assign(memoryDevice(bytes), {
        [Symbol.asyncDispose]: async () => {
          disposals += 1;
        },
      });
    const opened = await openImage(counting(await image), { name: testImageName });
    assert.equal(disposals, 0);
    await opened[Symbol.asyncDispose]();
    assert.equal(disposals, 1);
    await assert.rejects(openImage(counting(await image), { name: testImageName, format: 'no such format' }));
    assert.equal(disposals, 2);
  });
}
