import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { delayFilter } from './delay.ts';

testBlockDevice('delayFilter', (content) => delayFilter(memoryDevice(content)), { sparse: true });
testBlockDevice(
  'delayFilter with jitter',
  (content) => delayFilter(memoryDevice(content), { delayMs: { write: 0, read: 0 }, jitterMs: 0.1, seed: 1 }),
  { sizes: [20_000], runs: 2 },
);

describe('delayFilter', () => {
  test('delays the kinds it is told to, and leaves the others synchronous', async () => {
    const device = delayFilter(memoryDevice(1000), { delayMs: { write: 0 } });
    assert.equal(device.read(new Uint8Array(5), 0), undefined);
    assert.equal(device.flush(), undefined);
    const pending = device.write(Uint8Array.of(1), 0);
    assert.ok(pending instanceof Promise);
    await pending;
    const target = new Uint8Array(1);
    await device.read(target, 0);
    assert.equal(target[0], 1);
  });

  test('with jitter every request comes back, in any order', async () => {
    const device = delayFilter(memoryDevice(1000), { jitterMs: 20, seed: 5 });
    const done: number[] = [];
    const requests = Array.from({ length: 5 }, async (_, index) => {
      await device.read(new Uint8Array(1), index);
      done.push(index);
    });
    await Promise.all(requests);
    assert.deepEqual(done.sort(), [0, 1, 2, 3, 4]);
  });

  test('refuses delays that cannot be', () => {
    for (const delayMs of [-1, Number.NaN, { read: -1 }]) {
      assert.throws(() => delayFilter(memoryDevice(1), { delayMs }), RangeError);
    }
  });
});
