import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BlockDevice } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../conformance/device-content.ts';
import { delayFilter } from './delay.ts';
import { readOnlyFilter } from './read-only.ts';
import { sliceFilter } from './slice.ts';

/** A slice with `content`, in a device that has other content before and after it. */
function embed(content: Uint8Array, before: number): { slice: BlockDevice; whole: BlockDevice } {
  const whole = pattern(before + content.length + 99, 1);
  whole.set(content, before);
  const device = memoryDevice(whole);
  return { slice: sliceFilter(device, { offset: before, length: content.length }), whole: device };
}

testBlockDevice('sliceFilter, aligned', (content) => embed(content, 65536).slice, { synchronous: true });
testBlockDevice('sliceFilter, unaligned', (content) => embed(content, 1025).slice, { synchronous: true });
testBlockDevice('sliceFilter of a slice', (content) => sliceFilter(embed(content, 7).slice, {}), { synchronous: true });
testBlockDevice('readOnlyFilter', (content) => readOnlyFilter(memoryDevice(content)), {
  writable: false,
  sparse: true,
});

describe('sliceFilter', () => {
  test('changes nothing outside of itself', async () => {
    const { slice, whole } = embed(pattern(5000, 2), 777);
    await slice.write(pattern(5000, 3), 0);
    await slice.zero(0, 2000);
    await slice.trim(2000, 3000);
    const content = await contentOf(whole);
    const expected = pattern(content.length, 1);
    assertEqualBytes(content.subarray(0, 777), expected.subarray(0, 777), 'content');
    assertEqualBytes(content.subarray(5777), expected.subarray(5777), 'content');
  });

  test('goes to the end where no length is given, and may be empty', () => {
    assert.equal(sliceFilter(memoryDevice(1000), { offset: 300 }).size, 700);
    assert.equal(sliceFilter(memoryDevice(1000), { offset: 1000 }).size, 0);
  });

  test('moves extents, synchronous and asynchronous ones', async () => {
    const inner = memoryDevice(2 ** 20);
    await inner.write(pattern(65536, 4), 131072);
    for (const device of [inner, delayFilter(inner)]) {
      assert.deepEqual(await extentsOf(sliceFilter(device, { offset: 100_000, length: 100_000 })), [
        { offset: 0, length: 31_072, kind: 'hole' },
        { offset: 31_072, length: 65_536, kind: 'data' },
        { offset: 96_608, length: 3392, kind: 'hole' },
      ]);
    }
  });

  test('likes the blocks that lie on blocks of the device', () => {
    const blockSizes = [0, 65536, 512, 6144, 3].map(
      (offset) => sliceFilter(memoryDevice(2 ** 20), { offset }).blockSize,
    );
    assert.deepEqual(blockSizes, [4096, 4096, 512, 2048, 1]);
  });

  test('one that is not inside the device is OUT_OF_RANGE, one that is no range a RangeError', () => {
    for (const options of [{ offset: 1001 }, { length: 1001 }, { offset: 500, length: 501 }]) {
      assert.throws(() => sliceFilter(memoryDevice(1000), options), { name: 'VarveError', code: 'OUT_OF_RANGE' });
    }
    for (const options of [
      { offset: -1 },
      { length: -1 },
      { offset: 0.5 },
      { offset: Number.NaN },
      { length: 2 ** 53 },
    ]) {
      assert.throws(() => sliceFilter(memoryDevice(1000), options), RangeError);
    }
  });
});

describe('readOnlyFilter', () => {
  test('refuses changes itself, and the wrapped device stays as it was', async () => {
    const inner = memoryDevice(pattern(1000, 5));
    const device = readOnlyFilter(inner);
    assert.throws(() => device.write(new Uint8Array(1), 0), { code: 'READ_ONLY' });
    assert.throws(() => device.zero(0, 1), { code: 'READ_ONLY' });
    assert.throws(() => device.trim(0, 1), { code: 'READ_ONLY' });
    assertEqualBytes(await contentOf(inner), pattern(1000, 5), 'content');
  });
});
