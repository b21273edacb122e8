import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../conformance/device-content.ts';
import { cacheFilter } from './cache.ts';
import { delayFilter } from './delay.ts';
import { faultFilter } from './fault.ts';
import { statsFilter } from './stats.ts';

testBlockDevice('cacheFilter', (content) => cacheFilter(memoryDevice(content)), { synchronous: true });
testBlockDevice(
  'cacheFilter with room for two small blocks',
  (content) => cacheFilter(memoryDevice(content), { blockSize: 512, capacity: 1024 }),
  { synchronous: true, sizes: [1, 511, 20_001] },
);
testBlockDevice(
  'cacheFilter over a device that is slow by chance',
  (content) =>
    cacheFilter(delayFilter(memoryDevice(content), { jitterMs: 0.1, seed: 1 }), { blockSize: 4096, capacity: 16384 }),
  { sizes: [511, 20_001], runs: 5 },
);

const blockSize = 4096;

describe('cacheFilter', () => {
  test('reads a block once, and what is in it then from memory', async () => {
    const inner = statsFilter(memoryDevice(pattern(10 * blockSize, 1)));
    const cache = cacheFilter(inner, { blockSize });
    for (const offset of [5000, 4096, 8191]) await cache.read(new Uint8Array(1), offset);
    assert.deepEqual([inner.stats.read.count, inner.stats.read.totalLength], [1, blockSize]);
    assert.deepEqual(cache.stats, { hitCount: 2, missCount: 1, sharedCount: 0 });
  });

  test('reads neighbours that are missing at once, and not those it has', async () => {
    const inner = statsFilter(memoryDevice(pattern(10 * blockSize, 2)));
    const cache = cacheFilter(inner, { blockSize });
    await cache.read(new Uint8Array(1), 4 * blockSize);
    assertEqualBytes(await contentOf(cache), pattern(10 * blockSize, 2), 'all');
    assert.deepEqual([inner.stats.read.count, inner.stats.read.totalLength], [3, 10 * blockSize]);
    assertEqualBytes(await contentOf(cache), pattern(10 * blockSize, 2), 'all again');
    assert.equal(inner.stats.read.count, 3);
  });

  test('keeps no more than its capacity, and forgets what was not used for the longest time', async () => {
    const inner = statsFilter(memoryDevice(100 * blockSize));
    const cache = cacheFilter(inner, { blockSize, capacity: 3 * blockSize });
    const readsOf = async (index: number) => {
      const before = inner.stats.read.count;
      await cache.read(new Uint8Array(1), index * blockSize);
      return inner.stats.read.count - before;
    };
    const reads = [];
    for (const index of [0, 1, 2, 0, 3, 0, 2, 1, 3]) reads.push(await readsOf(index));
    assert.deepEqual(reads, [1, 1, 1, 0, 1, 0, 0, 1, 1]);
  });

  test('reads of one block at the same time share one fetch, and its failure', async () => {
    const failing = faultFilter(memoryDevice(pattern(blockSize, 3)), { rules: [{ after: 1, times: 1 }] });
    const inner = statsFilter(delayFilter(failing));
    const cache = cacheFilter(inner, { blockSize });
    const targets = [0, 1, 2].map(() => new Uint8Array(10));
    await Promise.all(targets.map((target) => cache.read(target, 7)));
    for (const target of targets) assert.deepEqual(target, pattern(blockSize, 3).subarray(7, 17));
    assert.equal(inner.stats.read.count, 1);
    assert.deepEqual(cache.stats, { hitCount: 0, missCount: 1, sharedCount: 2 });
    cache.invalidate();
    const results = await Promise.allSettled(targets.map((target) => cache.read(target, 7)));
    assert.deepEqual(
      results.map(({ status }) => status),
      ['rejected', 'rejected', 'rejected'],
    );
    await cache.read(targets[0]!, 7);
    assert.equal(inner.stats.read.count, 3);
  });

  test('a fetch that a write overtakes is not kept', async () => {
    const memory = memoryDevice(pattern(3 * blockSize, 4));
    const cache = cacheFilter(delayFilter(memory, { delayMs: { read: 0 } }), { blockSize });
    const early = cache.read(new Uint8Array(3 * blockSize), 0);
    // By now the delayed device has looked, and has not answered yet.
    await turn();
    const expected = pattern(3 * blockSize, 4);
    expected.set(pattern(100, 5), 5000);
    await cache.write(pattern(100, 5), 5000);
    const middle = contentOf(cache);
    await early;
    assertEqualBytes(await middle, expected, 'a read while the fetch is under way');
    assertEqualBytes(await contentOf(cache), expected, 'a read after it');
  });

  test('a write changes what is cached without a read, and a failed one drops it', async () => {
    const memory = memoryDevice(pattern(3 * blockSize, 6));
    const inner = statsFilter(faultFilter(memory, { rules: [{ operations: ['write'], after: 1, torn: true }] }));
    const cache = cacheFilter(inner, { blockSize });
    const expected = await contentOf(cache);
    await cache.write(pattern(5000, 7), 4000);
    expected.set(pattern(5000, 7), 4000);
    assertEqualBytes(await contentOf(cache), expected, 'after the write');
    assert.equal(inner.stats.read.count, 1);
    assert.throws(() => cache.write(pattern(3 * blockSize, 8), 0), { code: 'IO' });
    assertEqualBytes(await contentOf(cache), await contentOf(memory), 'after the failure');
  });

  test('a write that was overtaken before it was answered does not show when it is', async () => {
    const memory = memoryDevice(pattern(blockSize, 6));
    const answers = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let writeCount = 0;
    const inner = Object.assign(Object.create(memory), {
      read: memory.read.bind(memory),
      write: async (source: Uint8Array, offset: number) => {
        const { promise } = answers[writeCount]!;
        writeCount += 1;
        memory.write(source, offset);
        await promise;
      },
    });
    const cache = cacheFilter(inner, { blockSize });
    const [first, second] = [cache.write(pattern(100, 7), 0), cache.write(pattern(100, 8), 0)];
    answers[1]!.resolve();
    await second;
    assertEqualBytes(await contentOf(cache, 0, 100), pattern(100, 8), 'before the first is answered');
    answers[0]!.resolve();
    await first;
    assertEqualBytes(await contentOf(cache, 0, 100), pattern(100, 8), 'after it');
  });

  test('a write that fails later drops what is cached, too', async () => {
    const memory = memoryDevice(pattern(blockSize, 6));
    const cache = cacheFilter(delayFilter(faultFilter(memory, { rules: [{ operations: ['write'], torn: true }] })), {
      blockSize,
    });
    await contentOf(cache);
    for (let seed = 7; seed < 12; seed += 1) {
      await assert.rejects(async () => cache.write(pattern(blockSize, seed), 0), { code: 'IO' });
      assertEqualBytes(await contentOf(cache), await contentOf(memory), 'after the failure');
    }
  });

  test('invalidate forgets a range', async () => {
    const memory = memoryDevice(pattern(3 * blockSize, 9));
    const cache = cacheFilter(memory, { blockSize });
    const before = await contentOf(cache);
    memory.write(pattern(3 * blockSize, 10), 0);
    cache.invalidate(blockSize, 1);
    before.set(pattern(3 * blockSize, 10).subarray(blockSize, 2 * blockSize), blockSize);
    assertEqualBytes(await contentOf(cache), before, 'one block');
    cache.invalidate();
    assertEqualBytes(await contentOf(cache), pattern(3 * blockSize, 10), 'all');
  });

  test('once all is quiet it agrees with the device below, whatever went on at the same time', async () => {
    const size = 6000;
    const request = fc.record({
      kind: fc.constantFrom('read', 'read', 'write', 'write', 'zero', 'trim', 'wait', 'wait'),
      offset: fc.nat(size - 1),
      length: fc.integer({ min: 1, max: 2500 }),
    });
    const setting = fc.record({ seed: fc.nat(), capacity: fc.constantFrom(512, 2048, 8192) });
    const property = fc.asyncProperty(
      fc.array(request, { minLength: 5, maxLength: 40 }),
      setting,
      async (requests, of) => {
        const memory = memoryDevice(pattern(size, 11));
        const below = delayFilter(memory, { jitterMs: 0.1, seed: of.seed });
        const cache = cacheFilter(below, { blockSize: 512, capacity: of.capacity });
        const pending: unknown[] = [];
        for (const [index, { kind, offset, length: wanted }] of requests.entries()) {
          const length = Math.min(wanted, size - offset);
          if (kind === 'read') pending.push(cache.read(new Uint8Array(length), offset));
          else if (kind === 'write') pending.push(cache.write(pattern(length, index), offset));
          else if (kind === 'wait') await pending[offset % (pending.length + 1)];
          else pending.push(cache[kind](offset, length));
        }
        await Promise.all(pending);
        assertEqualBytes(await contentOf(cache), await contentOf(memory), 'the cache');
      },
    );
    await fc.assert(property, { numRuns: 150, interruptAfterTimeLimit: 10_000 });
  });

  test('refuses sizes that cannot be', () => {
    for (const options of [{ blockSize: 1000 }, { blockSize: 0 }, { capacity: 100 }, { capacity: Number.NaN }]) {
      assert.throws(() => cacheFilter(memoryDevice(1), options), RangeError);
    }
  });
});
