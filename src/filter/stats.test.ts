import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { extentsOf } from '../conformance/device-content.ts';
import { delayFilter } from './delay.ts';
import { faultFilter } from './fault.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { statsFilter } from './stats.ts';

testBlockDevice('statsFilter', (content) => statsFilter(memoryDevice(content)), { synchronous: true, sparse: true });

describe('statsFilter', () => {
  for (const [name, inner] of [
    ['synchronous', memoryDevice(10_000)],
    ['asynchronous', delayFilter(memoryDevice(10_000))],
  ] as const) {
    test(`counts requests, bytes and latencies of a device that is ${name}`, async () => {
      const device = statsFilter(inner);
      for (let index = 1; index <= 3; index += 1) await device.read(new Uint8Array(100 * index), index);
      await device.write(new Uint8Array(50), 0);
      await device.zero(0, 4000);
      await device.trim(5, 10);
      await device.flush();
      await extentsOf(device);
      const counts = Object.entries(device.stats).map(([kind, one]) => [
        kind,
        one.count,
        one.totalLength,
        one.latencies.count,
      ]);
      assert.deepEqual(counts, [
        ['read', 3, 600, 3],
        ['write', 1, 50, 1],
        ['zero', 1, 4000, 1],
        ['trim', 1, 10, 1],
        ['flush', 1, 0, 1],
        ['extents', 1, 10_000, 0],
      ]);
    });

    test(`counts failures of a device that is ${name}, apart from latencies`, async () => {
      const device = statsFilter(faultFilter(inner, { rules: [{ operations: ['write'], torn: true }] }));
      await assert.rejects(async () => device.write(new Uint8Array(5000), 0), { code: 'IO' });
      const { count, errorCount, latencies } = device.stats.write;
      assert.deepEqual([count, errorCount, latencies.count], [1, 1, 0]);
    });
  }
});

describe('LatencyHistogram', () => {
  test('puts latencies in buckets of powers of two', () => {
    const histogram = new LatencyHistogram();
    for (const latencyUs of [0, 0.9, 1, 1.9, 2, 3.9, 1000, 1e12]) histogram.add(latencyUs);
    const expected = new Array(32).fill(0);
    Object.assign(expected, { 0: 2, 1: 2, 2: 2, 10: 1, 31: 1 });
    assert.deepEqual([...histogram.counts], expected);
  });

  test('gives percentiles as the upper end of a bucket, and a mean', () => {
    const histogram = new LatencyHistogram();
    assert.deepEqual([histogram.percentileUs(0.99), histogram.meanUs], [0, 0]);
    for (let index = 0; index < 99; index += 1) histogram.add(3);
    histogram.add(103);
    assert.deepEqual(
      [0.5, 0.99, 1].map((share) => histogram.percentileUs(share)),
      [4, 4, 128],
    );
    assert.equal(histogram.meanUs, 4);
  });
});
