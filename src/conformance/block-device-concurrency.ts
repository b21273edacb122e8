import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BlockDeviceExpectations, BlockDeviceFactory } from './block-device.ts';
import { assertEqualBytes, contentOf, pattern } from './device-content.ts';

/** The clauses about several requests in flight at once. */
export function testConcurrentRequests(factory: BlockDeviceFactory, { sizes }: BlockDeviceExpectations): void {
  const size = sizes.at(-1)!;
  // A prime number of bytes each, so that neighbours share blocks of any size.
  const pieces = [...cut(size, 1021)];

  test('requests that do not overlap do not disturb each other, even inside one block', async () => {
    for (const before of [pattern(size, 15), new Uint8Array(size)]) {
      await using device = await factory(before.slice());
      const expected = before.slice();
      const requests = pieces.map(async ({ offset, length }, index) => {
        const source = pattern(length, index);
        if (index % 3 === 1) expected.fill(0, offset, offset + length);
        if (index % 3 === 2) expected.set(source, offset);
        if (index % 3 === 1) return device.zero(offset, length);
        if (index % 3 === 2) return device.write(source, offset);
        assertEqualBytes(await contentOf(device, offset, length), before.subarray(offset, offset + length), 'read');
      });
      await Promise.all(requests);
      assertEqualBytes(await contentOf(device), expected, 'after all of them');
    }
  });

  test('of writes that overlap, each byte is one of theirs, and stays what it was first read as', async () => {
    await using device = await factory(pattern(size, 16));
    const length = Math.min(size, 3 * Math.max(device.blockSize, 4096));
    const sources = [17, 18, 19].map((seed) => pattern(length, seed));
    await Promise.all(sources.map(async (source) => device.write(source, 0)));
    const content = await contentOf(device, 0, length);
    content.forEach((byte, index) => {
      assert.ok(
        sources.some((source) => source[index] === byte),
        `byte ${index} is nobody's`,
      );
    });
    assertEqualBytes(await contentOf(device, 0, length), content, 'a second read');
  });

  test('a write beside a zero or a trim in the same block survives it', async () => {
    await using device = await factory(pattern(size, 20));
    for (const clear of ['zero', 'trim'] as const) {
      for (const [index, { offset, length }] of pieces.entries()) {
        const half = Math.floor(length / 2);
        if (half === 0) continue;
        const source = pattern(length - half, index);
        await Promise.all([
          (async () => device[clear](offset, half))(),
          (async () => device.write(source, offset + half))(),
        ]);
        assertEqualBytes(await contentOf(device, offset + half, length - half), source, `${clear} at ${offset}`);
      }
    }
  });

  test('flush during writes returns, and so do they', async () => {
    await using device = await factory(new Uint8Array(size));
    const content = pattern(size, 21);
    const requests = pieces.map(async ({ offset, length }, index) => {
      await device.write(content.subarray(offset, offset + length), offset);
      if (index % 16 === 0) await device.flush();
    });
    await Promise.all(requests);
    assertEqualBytes(await contentOf(device), content, 'after all of them');
  });
}

function* cut(size: number, length: number): Generator<{ offset: number; length: number }, undefined> {
  for (let offset = 0; offset < size; offset += length) yield { offset, length: Math.min(length, size - offset) };
}
