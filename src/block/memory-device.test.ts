import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../conformance/device-content.ts';
import { isResizable } from './block-device.ts';
import { memoryDevice } from './memory-device.ts';

testBlockDevice('memoryDevice', (content) => memoryDevice(content), { synchronous: true, sparse: true });
testBlockDevice('memoryDevice, read-only', (content) => memoryDevice(content, { readOnly: true }), { writable: false });

test('memoryDevice: a petabyte takes memory for what is written only', async () => {
  await using device = memoryDevice(2 ** 50 + 1);
  const source = pattern(100_000, 1);
  await device.write(source, 2 ** 49 - 5);
  assertEqualBytes(await contentOf(device, 2 ** 49 - 5, 100_000), source, 'content');
  const [hole, data, ...rest] = await extentsOf(device);
  assert.deepEqual(hole, { offset: 0, length: 2 ** 49 - 65536, kind: 'hole' });
  assert.equal(data?.kind, 'data');
  assert.deepEqual(rest.at(-1), { offset: 2 ** 49 + 131072, length: 2 ** 49 - 131071, kind: 'hole' });
  await device.zero(1, 2 ** 50 - 1);
  assert.deepEqual(await extentsOf(device), [{ offset: 0, length: 2 ** 50 + 1, kind: 'hole' }]);
});

test('memoryDevice gets longer with what is written past its end, and shorter; what comes back is zeros', async () => {
  await using device = memoryDevice(1000);
  assert.ok(isResizable(device));
  device.write(pattern(500, 3), 200_000);
  assert.equal(device.size, 200_500);
  assertEqualBytes(await contentOf(device, 1000, 199_000), new Uint8Array(199_000), 'the gap');
  device.resize(200_100);
  device.resize(300_000);
  assertEqualBytes(await contentOf(device, 200_000, 100), pattern(500, 3).subarray(0, 100), 'what was kept');
  assertEqualBytes(await contentOf(device, 200_100, 99_900), new Uint8Array(99_900), 'what was cut off');
});

test('memoryDevice refuses sizes and block sizes that cannot be', () => {
  for (const size of [-1, 0.5, Number.NaN, 2 ** 53]) assert.throws(() => memoryDevice(size), RangeError);
  for (const blockSize of [0, 3, -4, 0.5]) assert.throws(() => memoryDevice(1, { blockSize }), RangeError);
});
