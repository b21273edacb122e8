import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BlockDevice } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../conformance/device-content.ts';
import { delayFilter } from './delay.ts';
import { faultFilter } from './fault.ts';
import { readAheadFilter } from './read-ahead.ts';
import { type LoggedRequest, requestLogFilter } from './request-log.ts';

const window = 2 ** 17;

testBlockDevice('readAheadFilter', (content) => readAheadFilter(memoryDevice(content), { window }), {
  synchronous: true,
});

const size = 3 * 2 ** 20 + 100;

async function readInOrder(device: BlockDevice, step: number): Promise<void> {
  const content = pattern(size, 1);
  for (let offset = 0; offset < size; offset += step) {
    const length = Math.min(step, size - offset);
    assertEqualBytes(await contentOf(device, offset, length), content.subarray(offset, offset + length), `${offset}`);
  }
}

describe('readAheadFilter', () => {
  test('reading in order fetches everything once, and ahead', async () => {
    const told: LoggedRequest[] = [];
    const inner = delayFilter(memoryDevice(pattern(size, 1)));
    const device = readAheadFilter(
      requestLogFilter(inner, (request) => told.push(request)),
      { window: 2 ** 20 },
    );
    await readInOrder(device, 10_000);
    await device[Symbol.asyncDispose]();
    const total = told.reduce((sum, { length }) => sum + length, 0);
    assert.equal(total, size);
    assert.ok(told.length < 20, `${told.length} requests`);
  });

  test('reading here and there fetches nothing but that', async () => {
    const told: LoggedRequest[] = [];
    const device = readAheadFilter(requestLogFilter(memoryDevice(size), (request) => told.push(request)));
    for (let block = 40; block > 0; block -= 3) await device.read(new Uint8Array(100), block * 65536);
    assert.deepEqual(new Set(told.map(({ length }) => length)), new Set([65536]));
    assert.equal(told.length, 14);
  });

  test('what cannot be fetched ahead fails when it is read, and not before', async () => {
    for (const wrap of [(device: BlockDevice) => device, (device: BlockDevice) => delayFilter(device)]) {
      const rules = [{ range: { offset: 2 ** 20, length: 1 } }];
      const device = readAheadFilter(faultFilter(wrap(memoryDevice(size)), { rules }), { window: 2 ** 20 });
      let offset = 0;
      const reading = async (): Promise<void> => {
        for (; offset < size; offset += 65536) await device.read(new Uint8Array(65536), offset);
      };
      await assert.rejects(reading, { code: 'IO' });
      assert.equal(offset, 2 ** 20);
      await device[Symbol.asyncDispose]();
    }
  });

  test('refuses a window that is none', () => {
    for (const each of [0, 100, 2 ** 16 + 1]) {
      assert.throws(() => readAheadFilter(memoryDevice(1), { window: each }), RangeError);
    }
  });
});
