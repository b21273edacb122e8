import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testBlockDevice } from '../conformance/block-device.ts';
import { delayFilter } from '../filter/delay.ts';
import type { BlockDevice } from './block-device.ts';
import { concatenatedDevice } from './concatenated-device.ts';
import { memoryDevice } from './memory-device.ts';

function inParts(content: Uint8Array, partLength: number): BlockDevice[] {
  const count = Math.ceil(content.length / partLength);
  return Array.from({ length: count }, (_, index) =>
    memoryDevice(content.subarray(index * partLength, (index + 1) * partLength)),
  );
}

for (const partLength of [4096, 65536, 40_001]) {
  testBlockDevice(
    `concatenatedDevice of parts of ${partLength} bytes`,
    (content) => concatenatedDevice([memoryDevice(0), ...inParts(content, partLength), memoryDevice(0)]),
    { sparse: true, synchronous: true },
  );
}
testBlockDevice('concatenatedDevice of parts that answer late and at once', (content) =>
  concatenatedDevice(inParts(content, 50_000).map((part, index) => (index % 2 === 0 ? part : delayFilter(part)))),
);

test('concatenatedDevice can do what all of its parts can', () => {
  const device = concatenatedDevice([memoryDevice(10), memoryDevice(10, { readOnly: true })]);
  assert.deepEqual(device.supports, { write: false, trim: false, zero: false, extents: true });
  assert.equal(concatenatedDevice([]).size, 0);
});
