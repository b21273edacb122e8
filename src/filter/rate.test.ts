import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import type { Clock } from './clock.ts';
import { rateFilter } from './rate.ts';

testBlockDevice('rateFilter that is fast', (content) => rateFilter(memoryDevice(content), { both: 1e15 }), {
  synchronous: true,
  sparse: true,
});
testBlockDevice(
  'rateFilter',
  (content) => rateFilter(memoryDevice(content), { both: 1000, write: 500, clock: testClock() }),
  { sparse: true, runs: 5 },
);

/** A clock by which sleeping is all that takes time. */
function testClock(): Clock & { sleeps: number[] } {
  let time = 5000;
  const sleeps: number[] = [];
  return {
    sleeps,
    now: () => time,
    async sleep(milliseconds) {
      sleeps.push(milliseconds);
      const end = time + milliseconds;
      await Promise.resolve();
      time = Math.max(time, end);
    },
  };
}

describe('rateFilter', () => {
  test('lets a burst through, and then what the rate allows', async () => {
    const clock = testClock();
    const device = rateFilter(memoryDevice(100_000), { both: 10_000, burstMs: 100, clock });
    assert.equal(device.read(new Uint8Array(1000), 0), undefined);
    for (let count = 0; count < 10; count += 1) await device.read(new Uint8Array(500), 0);
    await device.write(new Uint8Array(2000), 0);
    const total = clock.sleeps.reduce((sum, each) => sum + each, 0);
    assert.ok(Math.abs(total - 700) < 1e-6, `${total} ms for 8000 bytes at 10000 a second, and a burst of 1000`);
    const rested = clock.now();
    await clock.sleep(1000);
    assert.equal(device.read(new Uint8Array(1000), 0), undefined, `rested since ${rested}`);
  });

  test('requests that wait at the same time wait one for the other', async () => {
    const clock = testClock();
    const device = rateFilter(memoryDevice(100_000), { both: 1000, burstMs: 0, clock });
    const requests = Array.from({ length: 3 }, () => device.read(new Uint8Array(100), 0));
    assert.deepEqual(clock.sleeps, [100, 200, 300]);
    await Promise.all(requests);
  });

  test('reading and writing have limits of their own, and what moves no data has none', async () => {
    const clock = testClock();
    const device = rateFilter(memoryDevice(100_000), { write: 1000, burstMs: 0, clock });
    assert.equal(device.read(new Uint8Array(50_000), 0), undefined);
    assert.equal(device.zero(0, 50_000), undefined);
    assert.equal(device.trim(0, 50_000), undefined);
    await device.write(new Uint8Array(10), 0);
    assert.deepEqual(clock.sleeps, [10]);
  });

  test('refuses a rate of nothing', () => {
    for (const both of [0, -1, Number.NaN]) assert.throws(() => rateFilter(memoryDevice(1), { both }), RangeError);
  });
});
