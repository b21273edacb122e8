import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { BlockDevice } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../conformance/device-content.ts';
import { delayFilter } from './delay.ts';
import { faultFilter } from './fault.ts';
import { overlayFilter } from './overlay.ts';
import { readOnlyFilter } from './read-only.ts';
import { statsFilter } from './stats.ts';

/** A top that holds rubbish, which must never show. */
function dirtyTop(size: number): BlockDevice {
  return memoryDevice(pattern(size, 99));
}

function overlayOf(content: Uint8Array, blockSize = 4096): BlockDevice {
  return overlayFilter(readOnlyFilter(memoryDevice(content)), dirtyTop(content.length), { blockSize });
}

testBlockDevice('overlayFilter', (content) => overlayOf(content), { synchronous: true, sparse: true });
testBlockDevice('overlayFilter in blocks of 64 KiB', (content) => overlayOf(content, 65536), { sizes: [200_001] });
testBlockDevice(
  'overlayFilter between devices that are slow by chance',
  (content) => {
    const jitter = { delayMs: 0, jitterMs: 0.1 };
    return overlayFilter(
      delayFilter(memoryDevice(content), { ...jitter, seed: 1 }),
      delayFilter(dirtyTop(content.length), { ...jitter, seed: 2 }),
    );
  },
  { sizes: [511, 20_001], runs: 5 },
);
testBlockDevice(
  'overlayFilter over an overlay',
  (content) => overlayFilter(overlayOf(content), dirtyTop(content.length)),
  {
    sizes: [511, 70_001],
  },
);

describe('overlayFilter', () => {
  test('the base stays as it was', async () => {
    const base = memoryDevice(pattern(20_000, 1));
    const overlay = overlayFilter(base, memoryDevice(20_000));
    await overlay.write(pattern(15_000, 2), 100);
    await overlay.zero(16_000, 3000);
    await overlay.trim(0, 20_000);
    assertEqualBytes(await contentOf(base), pattern(20_000, 1), 'content');
    assertEqualBytes(await contentOf(overlay), new Uint8Array(20_000), 'content');
  });

  test('what is larger than the base reads as zeros and can be written, across the old end, too', async () => {
    const overlay = overlayFilter(memoryDevice(pattern(5000, 3)), dirtyTop(30_000), { size: 30_000 });
    const expected = new Uint8Array(30_000);
    expected.set(pattern(5000, 3));
    assertEqualBytes(await contentOf(overlay), expected, 'content');
    for (const [offset, length] of [
      [4999, 2],
      [9000, 10],
      [29_999, 1],
      [4000, 20_000],
    ] as const) {
      await overlay.write(pattern(length, 4), offset);
      expected.set(pattern(length, 4), offset);
      assertEqualBytes(await contentOf(overlay), expected, 'content');
    }
  });

  test('what is smaller than the base ends there', async () => {
    const overlay = overlayFilter(memoryDevice(pattern(10_000, 5)), dirtyTop(5000), { size: 5000 });
    assert.equal(overlay.size, 5000);
    await overlay.write(Uint8Array.of(0), 4999);
    assertEqualBytes(await contentOf(overlay), pattern(10_000, 5).subarray(0, 5000).with(4999, 0), 'content');
  });

  test('extents are those of both, and what was zeroed is zero, not hole', async () => {
    const base = memoryDevice(5 * 65536);
    await base.write(pattern(2 * 65536, 6), 0);
    const overlay = overlayFilter(base, memoryDevice(8 * 65536), { size: 8 * 65536 });
    await overlay.zero(65536, 65536);
    await overlay.write(pattern(65536, 7), 3 * 65536);
    await overlay.write(pattern(4096, 7), 7 * 65536);
    const kinds = (await extentsOf(overlay)).map(({ offset, length, kind }) => [offset / 4096, length / 4096, kind]);
    assert.deepEqual(kinds, [
      [0, 16, 'data'],
      [16, 16, 'zero'],
      [32, 16, 'hole'],
      [48, 16, 'data'],
      [64, 16, 'hole'],
      [80, 32, 'hole'],
      [112, 1, 'data'],
      [113, 15, 'hole'],
    ]);
  });

  test('reads the base for the rest of a block only, once, and not at all for whole blocks', async () => {
    const base = statsFilter(memoryDevice(pattern(65536, 8)));
    const overlay = overlayFilter(base, memoryDevice(65536));
    await overlay.write(new Uint8Array(8192), 4096);
    assert.equal(base.stats.read.totalLength, 0);
    await overlay.write(new Uint8Array(100), 50);
    assert.equal(base.stats.read.totalLength, 3996);
    await overlay.write(new Uint8Array(100), 200);
    await overlay.zero(0, 300);
    assert.equal(base.stats.read.totalLength, 3996);
  });

  test('gives the space of what is zeroed back', async () => {
    const top = memoryDevice(2 ** 20);
    const overlay = overlayFilter(memoryDevice(2 ** 20), top);
    await overlay.write(pattern(2 ** 20, 9), 0);
    await overlay.trim(65536, 2 ** 20 - 65536);
    assert.deepEqual(
      (await extentsOf(top)).map(({ kind, length }) => [kind, length]),
      [
        ['data', 65536],
        ['hole', 2 ** 20 - 65536],
      ],
    );
  });

  test('a write that fails while it fills a block leaves the base showing, and the next one works', async () => {
    for (const rules of [
      [{ operations: ['write' as const], times: 1 }],
      [{ operations: ['write' as const], after: 1, times: 1 }],
    ]) {
      const top = faultFilter(dirtyTop(20_000), { rules });
      const overlay = overlayFilter(memoryDevice(pattern(20_000, 10)), top);
      assert.throws(() => overlay.write(pattern(10, 11), 5000), { code: 'IO' });
      const expected = pattern(20_000, 10);
      assertEqualBytes(await contentOf(overlay), expected, 'content');
      expected.set(pattern(10, 11), 6000);
      await overlay.write(pattern(10, 11), 6000);
      assertEqualBytes(await contentOf(overlay), expected, 'content');
    }
  });

  test('a base that cannot be read fails the write that needs it', async () => {
    const base = faultFilter(delayFilter(memoryDevice(20_000)), { rules: [{ operations: ['read'], times: 1 }] });
    const overlay = overlayFilter(base, delayFilter(memoryDevice(20_000)));
    await assert.rejects(async () => overlay.write(pattern(10, 1), 5000), { code: 'IO' });
    await overlay.write(pattern(10, 1), 5000);
    assertEqualBytes(await contentOf(overlay, 5000, 10), pattern(10, 1), 'content');
  });

  test('any mix of small changes at the same time ends as each of them says, where they do not overlap', async () => {
    const size = 40_000;
    const seeds = fc.tuple(fc.nat(), fc.nat());
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 10, maxLength: 60 }),
        seeds,
        async (lengths, [a, b]) => {
          const expected = pattern(size, 12);
          const base = delayFilter(memoryDevice(expected), { jitterMs: 0.1, seed: a });
          const overlay = overlayFilter(base, delayFilter(dirtyTop(size), { jitterMs: 0.1, seed: b }));
          let offset = 0;
          const requests: unknown[] = [];
          for (const [index, length] of lengths.entries()) {
            const end = Math.min(offset + length, size);
            if (offset === end) break;
            if (index % 3 === 0) expected.fill(0, offset, end);
            else expected.set(pattern(end - offset, index), offset);
            if (index % 3 === 0) requests.push(overlay.zero(offset, end - offset));
            else requests.push(overlay.write(pattern(end - offset, index), offset));
            offset = end;
          }
          await Promise.all(requests);
          assertEqualBytes(await contentOf(overlay), expected, 'content');
        },
      ),
      { numRuns: 10, interruptAfterTimeLimit: 10_000 },
    );
  });

  test('disposing disposes of both', async () => {
    const disposed: string[] = [];
    const [base, top] = ['base', 'top'].map((name) =>
      Object.assign(memoryDevice(1000), { [Symbol.asyncDispose]: async () => void disposed.push(name) }),
    );
    await overlayFilter(base!, top!)[Symbol.asyncDispose]();
    assert.deepEqual(disposed.sort(), ['base', 'top']);
  });

  test('refuses sizes that cannot be', () => {
    const [base, top] = [memoryDevice(1000), memoryDevice(1000)];
    for (const options of [{ size: -1 }, { size: 0.5 }, { size: 1001 }, { blockSize: 1000 }, { blockSize: 0 }]) {
      assert.throws(() => overlayFilter(base, top, options), RangeError);
    }
  });

  test('an overlay of 8 TiB on nothing works', async () => {
    const overlay = overlayFilter(memoryDevice(2 ** 43), memoryDevice(2 ** 43));
    await overlay.write(pattern(10, 13), 2 ** 43 - 11);
    assertEqualBytes(await contentOf(overlay, 2 ** 43 - 11, 11), Uint8Array.of(...pattern(10, 13), 0), 'content');
    await overlay.zero(1, 2 ** 43 - 2);
    assertEqualBytes(await contentOf(overlay, 2 ** 43 - 11, 11), new Uint8Array(11), 'content');
  });
});
