import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, Extent } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { contentOf, extentsOf, pattern } from '../conformance/device-content.ts';
import type { Clock } from './clock.ts';
import { delayFilter } from './delay.ts';
import { type FaultRule, faultFilter } from './fault.ts';
import { ForwardingDevice } from './forwarding-device.ts';
import { retryFilter } from './retry.ts';

function testClock(): Clock & { sleeps: number[] } {
  const sleeps: number[] = [];
  return { sleeps, now: () => 0, sleep: async (milliseconds) => sleeps.push(milliseconds) };
}

testBlockDevice('retryFilter', (content) => retryFilter(memoryDevice(content)), { synchronous: true, sparse: true });
testBlockDevice('retryFilter over a device that fails every other time', (content) => {
  const operations = ['read', 'write', 'zero', 'trim', 'extents'] as const;
  const rules = [{ operations, probability: 0.5, torn: true }];
  return retryFilter(faultFilter(memoryDevice(content), { rules, seed: 4 }), { attempts: 60, clock: testClock() });
});

describe('retryFilter', () => {
  function failing(rule: FaultRule, isLate: boolean): BlockDevice {
    const inner = memoryDevice(pattern(1000, 1));
    return faultFilter(isLate ? delayFilter(inner) : inner, { rules: [rule] });
  }

  for (const isLate of [false, true]) {
    const device = isLate ? 'an asynchronous device' : 'a synchronous device';

    test(`${device} that fails a few times is asked again, ever later`, async () => {
      const clock = testClock();
      const retrying = retryFilter(failing({ times: 4 }, isLate), { delayMs: 10, maximumDelayMs: 60, clock });
      assert.deepEqual(await contentOf(retrying), pattern(1000, 1));
      assert.deepEqual(clock.sleeps, [10, 20, 40, 60]);
    });

    test(`${device} that goes on failing fails in the end`, async () => {
      const clock = testClock();
      const retrying = retryFilter(failing({}, isLate), { attempts: 3, delayMs: 1, factor: 1, clock });
      await assert.rejects(async () => retrying.write(new Uint8Array(1), 0), { code: 'IO' });
      assert.deepEqual(clock.sleeps, [1, 1, 1]);
      await assert.rejects(async () => extentsOf(retrying), { code: 'IO' });
      assert.equal(clock.sleeps.length, 6);
    });

    test(`${device} that will fail for ever is not asked again`, async () => {
      const clock = testClock();
      const retrying = retryFilter(failing({ code: 'NO_SPACE' }, isLate), { clock });
      await assert.rejects(async () => retrying.write(new Uint8Array(1), 0), { code: 'NO_SPACE' });
      assert.deepEqual(clock.sleeps, []);
    });
  }

  test('a flush is not made again', async () => {
    const clock = testClock();
    const retrying = retryFilter(failing({ times: 1 }, false), { clock });
    await assert.rejects(async () => retrying.flush(), { code: 'IO' });
    assert.deepEqual(clock.sleeps, []);
  });

  test('a list of extents that breaks off goes on there', async () => {
    class Breaking extends ForwardingDevice {
      #count = 0;

      override *extents(offset: number, length: number): Generator<Extent, undefined> {
        for (let position = offset; position < offset + length; position += 100) {
          this.#count += 1;
          if (this.#count % 3 === 0) throw new VarveError('IO', 'it broke off');
          yield { offset: position, length: 100, kind: 'data' };
        }
      }
    }
    const clock = testClock();
    const retrying = retryFilter(new Breaking(memoryDevice(1000)), { attempts: 1, clock });
    const offsets = (await extentsOf(retrying)).map(({ offset }) => offset);
    assert.deepEqual(offsets, [0, 100, 200, 300, 400, 500, 600, 700, 800, 900]);
    assert.equal(clock.sleeps.length, 4);
  });
});
