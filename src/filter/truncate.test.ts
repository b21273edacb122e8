import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { contentOf, extentsOf, pattern } from '../conformance/device-content.ts';
import { delayFilter } from './delay.ts';
import { truncateFilter } from './truncate.ts';

testBlockDevice(
  'truncateFilter, shorter',
  (content) => {
    const longer = memoryDevice(content.length + 5000);
    longer.write(pattern(5000, 1), content.length);
    if (content.some((byte) => byte !== 0)) longer.write(content, 0);
    return truncateFilter(longer, content.length);
  },
  { synchronous: true },
);
testBlockDevice(
  'truncateFilter, longer',
  (content) => {
    const end = content.findLastIndex((byte) => byte !== 0) + 1;
    return truncateFilter(memoryDevice(content.subarray(0, end), { readOnly: true }), content.length);
  },
  { synchronous: true, writable: false, sparse: true },
);

describe('truncateFilter', () => {
  for (const [name, inner] of [
    ['synchronous', () => memoryDevice(pattern(1000, 1))],
    ['asynchronous', () => delayFilter(memoryDevice(pattern(1000, 1)))],
  ] as const) {
    test(`behind the end of a device that is ${name} there are zeros, and no place for more`, async () => {
      const device = truncateFilter(inner(), 5000);
      assert.deepEqual((await contentOf(device)).subarray(1000), new Uint8Array(4000));
      assert.deepEqual((await extentsOf(device)).at(-1), { offset: 1000, length: 4000, kind: 'hole' });
      assert.deepEqual(await extentsOf(device, 2000, 10), [{ offset: 2000, length: 10, kind: 'hole' }]);
      const source = new Uint8Array(1000);
      source.set([1, 2, 3]);
      await device.write(source, 500);
      assert.deepEqual((await contentOf(device, 498, 6)).subarray(2, 5), Uint8Array.of(1, 2, 3));
      source[999] = 1;
      await assert.rejects(async () => device.write(source, 500), { code: 'NO_SPACE' });
      await assert.rejects(async () => device.write(source, 3000), { code: 'NO_SPACE' });
      await device.zero(900, 4100);
      await device.trim(3000, 10);
      assert.deepEqual(await contentOf(device, 900, 200), new Uint8Array(200));
    });
  }

  test('refuses what is no size', () => {
    for (const size of [-1, 1.5, Number.NaN]) assert.throws(() => truncateFilter(memoryDevice(1), size), RangeError);
  });
});
