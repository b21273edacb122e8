import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { extentsOf } from '../conformance/device-content.ts';
import { delayFilter } from './delay.ts';
import { faultFilter } from './fault.ts';
import { type LoggedRequest, requestLogFilter } from './request-log.ts';

testBlockDevice('requestLogFilter', (content) => requestLogFilter(memoryDevice(content), () => {}), {
  synchronous: true,
  sparse: true,
});

describe('requestLogFilter', () => {
  for (const [name, inner] of [
    ['synchronous', () => memoryDevice(200_000)],
    ['asynchronous', () => delayFilter(memoryDevice(200_000))],
  ] as const) {
    test(`tells of every request to a device that is ${name}, and how it went`, async () => {
      const told: LoggedRequest[] = [];
      const rules = (['zero', 'extents'] as const).map((each) => ({
        operations: [each],
        after: 1,
        code: 'NO_SPACE' as const,
      }));
      const device = requestLogFilter(faultFilter(inner(), { rules }), (request) => told.push(request));
      await device.read(new Uint8Array(100), 5);
      await device.write(new Uint8Array(50).fill(1), 70_000);
      await device.zero(0, 40);
      await device.trim(5, 10);
      await device.flush();
      await extentsOf(device);
      await assert.rejects(async () => device.zero(1, 2), { code: 'NO_SPACE' });
      await assert.rejects(async () => extentsOf(device), { code: 'NO_SPACE' });
      const rows = told.map(({ failure, length, offset, operation, runCount }) => [
        ...[operation, offset, length, runCount, failure?.code],
      ]);
      assert.deepEqual(rows, [
        ['read', 5, 100, undefined, undefined],
        ['write', 70_000, 50, undefined, undefined],
        ['zero', 0, 40, undefined, undefined],
        ['trim', 5, 10, undefined, undefined],
        ['flush', 0, 0, undefined, undefined],
        ['extents', 0, 200_000, 3, undefined],
        ['zero', 1, 2, undefined, 'NO_SPACE'],
        ['extents', 0, 200_000, undefined, 'NO_SPACE'],
      ]);
      for (const { durationMs, time } of told) assert.ok(durationMs >= 0 && time > Date.parse('2025-01-01'));
    });
  }

  test('a list of extents that nobody reads to its end is told of', () => {
    const told: LoggedRequest[] = [];
    const device = requestLogFilter(memoryDevice(200_000), (request) => told.push(request));
    for (const _ of device.extents(0, 10) as Iterable<unknown>) break;
    assert.deepEqual([told.length, told[0]?.runCount], [1, 1]);
  });
});
