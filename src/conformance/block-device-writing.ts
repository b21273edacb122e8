import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockDeviceExpectations, BlockDeviceFactory } from './block-device.ts';
import { checkExtents } from './block-device-extents.ts';
import { assertEqualBytes, contentOf, edgeRanges, pattern } from './device-content.ts';

/** The clauses about `write`, `zero` and `trim`. */
export function testWriting(factory: BlockDeviceFactory, { sizes, synchronous }: BlockDeviceExpectations): void {
  test('write changes its range and nothing else, at every edge, over data and over zeros', async () => {
    for (const size of sizes) {
      for (const expected of [pattern(size, 8), new Uint8Array(size)]) {
        await using device = await factory(expected.slice());
        for (const [index, { offset, length }] of edgeRanges(device).entries()) {
          const source = pattern(length, index);
          expected.set(source, offset);
          await device.write(source, offset);
          assertEqualBytes(await contentOf(device), expected, `after write of ${length} bytes at ${offset}`);
        }
        await checkExtents(device, { offset: 0, length: size });
      }
    }
  });

  test('zero makes its range zeros and changes nothing else, at every edge, over data and over zeros', async () => {
    for (const size of sizes) {
      const before = pattern(size, 9);
      await using device = await factory(before.slice());
      for (const { offset, length } of edgeRanges(device)) {
        const expected = before.slice().fill(0, offset, offset + length);
        for (let round = 0; round < 2; round += 1) {
          await device.zero(offset, length);
          assertEqualBytes(await contentOf(device), expected, `after zero of ${length} bytes at ${offset}`);
        }
        await checkExtents(device, { offset, length });
        await device.write(before, 0);
      }
    }
  });

  test('trim leaves its range as it was or zero, byte for byte, and changes nothing else', async () => {
    for (const size of sizes) {
      const before = pattern(size, 10);
      await using device = await factory(before.slice());
      for (const { offset, length } of edgeRanges(device)) {
        const expected = before.slice();
        await device.trim(offset, length);
        const trimmed = await contentOf(device, offset, length);
        if (!device.supports.trim) assertEqualBytes(trimmed, before.subarray(offset, offset + length), 'no trim');
        expected.set(
          trimmed.map((byte, index) => (byte === 0 ? 0 : before[offset + index]!)),
          offset,
        );
        assertEqualBytes(await contentOf(device), expected, `after trim of ${length} bytes at ${offset}`);
        await checkExtents(device, { offset, length });
        await device.write(before, 0);
      }
    }
  });

  test('extents are in order whatever the order of the writes', async () => {
    const size = sizes.at(-1)!;
    await using device = await factory(new Uint8Array(size));
    for (const offset of [size - 1, 0, Math.floor(size / 2), Math.floor(size / 4)]) {
      await device.write(pattern(1, 15), offset);
      await checkExtents(device, { offset: 0, length: size });
    }
  });

  test('write leaves its source as it was, takes it from anywhere in a buffer, and keeps no hold of it', async () => {
    const size = sizes.at(-1)!;
    await using device = await factory(new Uint8Array(size));
    const buffer = pattern(size + 10, 11);
    const before = buffer.slice();
    await device.write(buffer.subarray(5, 5 + size), 0);
    assertEqualBytes(buffer, before, 'the source');
    buffer.fill(0);
    assertEqualBytes(await contentOf(device), before.subarray(5, 5 + size), 'after the source changed');
    await device.flush();
    assertEqualBytes(await contentOf(device), before.subarray(5, 5 + size), 'after flush');
  });

  if (!synchronous) return;
  test('write, zero and trim finish synchronously', async () => {
    const size = sizes.at(-1)!;
    await using device = await factory(pattern(size, 12));
    assert.equal(device.write(pattern(size - 1, 13), 1), undefined);
    assert.equal(device.zero(1, size - 1), undefined);
    assert.equal(device.write(pattern(1, 14), size - 1), undefined);
    assert.equal(device.trim(0, size), undefined);
  });
}
