import assert from 'node:assert/strict';
import { readSync } from 'node:fs';
import { test } from 'node:test';
import type { BlockDeviceExpectations, BlockDeviceFactory } from './block-device.ts';
import { assertEqualBytes, contentOf, edgeRanges, pattern } from './device-content.ts';

/** The clauses about `read`. */
export function testReading(factory: BlockDeviceFactory, { sizes, synchronous }: BlockDeviceExpectations): void {
  test('read gives back the content, all of it and every range at an edge', async () => {
    for (const size of sizes) {
      const content = pattern(size, size);
      await using device = await factory(content.slice());
      assertEqualBytes(await contentOf(device), content, 'all of it');
      for (const { offset, length } of edgeRanges(device)) {
        const expected = content.subarray(offset, offset + length);
        assertEqualBytes(await contentOf(device, offset, length), expected, `${length} bytes at ${offset}`);
      }
    }
  });

  test('read gives back zeros where the content is zeros, over what the target held', async () => {
    for (const size of sizes) {
      await using device = await factory(new Uint8Array(size));
      assertEqualBytes(await contentOf(device), new Uint8Array(size), 'zeros');
    }
  });

  test('read fills its target and nothing around it', async () => {
    for (const size of sizes) {
      const content = pattern(size, 1);
      await using device = await factory(content.slice());
      const buffer = new Uint8Array(size + 7).fill(0x55);
      await device.read(buffer.subarray(3, 3 + size), 0);
      assertEqualBytes(buffer.subarray(3, 3 + size), content, 'inside');
      assert.deepEqual([...buffer.subarray(0, 3), ...buffer.subarray(3 + size)], new Array(7).fill(0x55));
    }
  });

  test('what was read belongs to the reader: changing it changes nothing', async () => {
    const content = pattern(sizes.at(-1)!, 2);
    await using device = await factory(content.slice());
    (await contentOf(device)).fill(0);
    assertEqualBytes(await contentOf(device), content, 'second read');
  });

  test('fileRange, where there is one, says where in a file the same bytes are', async () => {
    const content = pattern(sizes.at(-1)!, 5);
    await using device = await factory(content.slice());
    for (const { offset, length } of edgeRanges(device)) {
      const range = device.fileRange?.(offset, length);
      if (range === undefined) continue;
      const found = new Uint8Array(length);
      assert.equal(readSync(range.fd, found, 0, length, range.offset), length);
      assertEqualBytes(found, content.subarray(offset, offset + length), `${length} bytes at ${offset}`);
      assert.equal(device.read(found, offset), undefined, 'read is synchronous where there is a file');
    }
  });

  if (!synchronous) return;
  test('read finishes synchronously', async () => {
    await using device = await factory(pattern(sizes.at(-1)!, 4));
    assert.equal(device.read(new Uint8Array(device.size), 0), undefined);
  });
}
