import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { BlockDevice } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../conformance/device-content.ts';
import { delayFilter } from './delay.ts';
import { type FaultRule, faultFilter } from './fault.ts';

testBlockDevice('faultFilter that fails nothing', (content) => faultFilter(memoryDevice(content), { rules: [] }), {
  synchronous: true,
});

const size = 10_240;

function failing(...rules: FaultRule[]): BlockDevice {
  return faultFilter(memoryDevice(pattern(size, 1)), { rules, seed: 7 });
}

/** Which of `count` single-byte reads fail. */
async function failures(device: BlockDevice, count: number): Promise<number[]> {
  const failed: number[] = [];
  for (let index = 0; index < count; index += 1) {
    await Promise.try(() => device.read(new Uint8Array(1), index)).catch(() => failed.push(index));
  }
  return failed;
}

describe('faultFilter', () => {
  test('an empty rule fails everything, with IO', () => {
    const device = failing({});
    const message = /^cannot [a-z ]+ the device: a fault filter was told to fail this request$/;
    assert.throws(() => device.read(new Uint8Array(1), 0), { name: 'VarveError', code: 'IO', message });
    assert.throws(() => device.write(new Uint8Array(1), 0), { code: 'IO', message });
    assert.throws(() => device.zero(0, 1), { code: 'IO', message });
    assert.throws(() => device.trim(0, 1), { code: 'IO', message });
    assert.throws(() => device.flush(), { code: 'IO', message });
    assert.throws(() => device.extents(0, 1), { code: 'IO', message });
  });

  test('after and times choose which', async () => {
    assert.deepEqual(await failures(failing({ after: 3, times: 2 }), 10), [3, 4]);
    assert.deepEqual(await failures(failing({ after: 8 }), 10), [8, 9]);
    assert.deepEqual(await failures(failing({ times: 1 }, { after: 5, times: 1 }), 10), [0, 5]);
  });

  test('a range is touched by its first and last byte, not by the neighbours', async () => {
    assert.deepEqual(await failures(failing({ range: { offset: 4, length: 3 } }), 10), [4, 5, 6]);
    const device = failing({ range: { offset: 4, length: 3 } });
    assert.throws(() => device.zero(0, size), { code: 'IO' });
    await device.flush();
  });

  test('operations and code are those asked for', async () => {
    const device = failing({ operations: ['write'], code: 'NO_SPACE' });
    assert.deepEqual(await failures(device, 5), []);
    assert.throws(() => device.write(new Uint8Array(1), 0), { code: 'NO_SPACE' });
  });

  test('a probability fails about so many, the same ones for the same seed', async () => {
    const failed = await failures(failing({ probability: 0.25 }), 1000);
    assert.ok(failed.length > 150 && failed.length < 350, `${failed.length}`);
    assert.deepEqual(await failures(failing({ probability: 0.25 }), 1000), failed);
  });

  test('a write that fails changes nothing, a torn one a prefix in whole sectors', async () => {
    const whole = failing({ operations: ['write'] });
    assert.throws(() => whole.write(new Uint8Array(size), 0));
    assertEqualBytes(await contentOf(whole), pattern(size, 1), 'content');

    const lengths = new Set<number>();
    const torn = failing({ operations: ['write', 'zero'], torn: true }, { operations: ['read'], after: 1000 });
    for (let round = 0; round < 50; round += 1) {
      const source = pattern(size, round + 2);
      assert.throws(() => torn.write(source, 0), { code: 'IO' });
      const content = await contentOf(torn);
      const length = content.findIndex((byte, index) => byte !== source[index]);
      const sectors = Math.floor(length / 512);
      assertEqualBytes(content.subarray(0, sectors * 512), source.subarray(0, sectors * 512), 'content');
      lengths.add(sectors);
    }
    assert.ok(lengths.size > 5 && lengths.has(0), `${[...lengths]}`);
  });

  test('over an asynchronous device a torn write rejects', async () => {
    const rules = [{ operations: ['write'], torn: true }] as const;
    const device = faultFilter(delayFilter(memoryDevice(size)), { rules, seed: 3 });
    await assert.rejects(async () => device.write(pattern(size, 1), 0), { code: 'IO' });
    assert.ok((await contentOf(device)).some((byte) => byte !== 0));
  });
});
