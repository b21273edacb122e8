import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { diskOf } from '../../test/store/chunky-disk.ts';
import { buildMap, MemoryBodies } from '../../test/store/memory-bodies.ts';
import { importDisk, type TemporaryStore, temporaryStore } from '../../test/store/temporary-store.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../conformance/device-content.ts';
import { chunkSize } from './chunk.ts';
import { snapshotDevice } from './snapshot-device.ts';

let temporary: TemporaryStore;
let imageCount = 0;

before(async () => {
  temporary = await temporaryStore();
});

after(() => temporary[Symbol.asyncDispose]());

async function snapshotOf(content: Uint8Array): Promise<BlockDevice> {
  imageCount += 1;
  return await temporary.store.openSnapshot(await importDisk(temporary.store, `disk${imageCount}`, content));
}

testBlockDevice('a snapshot', snapshotOf, { writable: false, sizes: [1, 511, 65_536, 200_001] });

/** A disk whose bodies come by promises. */
async function slowSnapshot(content: Uint8Array): Promise<BlockDevice> {
  const bodies = new MemoryBodies(true);
  const names = new Map<number, Uint8Array>();
  for (let chunk = 0; chunk * chunkSize < content.length; chunk += 1) {
    const bytes = new Uint8Array(chunkSize);
    bytes.set(content.subarray(chunk * chunkSize, (chunk + 1) * chunkSize));
    if (bytes.some((byte) => byte !== 0)) names.set(chunk, bodies.put(bytes));
  }
  return snapshotDevice(await buildMap(bodies, content.length, names), bodies, () => undefined);
}

describe('snapshotDevice', () => {
  test('gives any range of any disk, many at once, whether bodies are at hand or not', async () => {
    const disk = fc.tuple(fc.array(fc.nat(6), { maxLength: 12 }), fc.integer({ min: 1, max: 70_000 }));
    const ranges = fc.array(fc.tuple(fc.nat(), fc.nat()), { minLength: 1, maxLength: 10 });
    await fc.assert(
      fc.asyncProperty(disk, ranges, async ([kinds, tailLength], pairs) => {
        const content = diskOf(kinds, tailLength);
        for (const open of [snapshotOf, slowSnapshot]) {
          await using device = await open(content);
          await Promise.all(
            pairs.map(async ([a, b]) => {
              const offset = a % content.length;
              const length = 1 + (b % (content.length - offset));
              const expected = content.subarray(offset, offset + length);
              assertEqualBytes(await contentOf(device, offset, length), expected, `${length} bytes at ${offset}`);
            }),
          );
        }
      }),
      { numRuns: 20 },
    );
  });

  test('its extents are data where a chunk has a byte, and holes elsewhere, cut to what was asked', async () => {
    await using device = await snapshotOf(diskOf([0, 1, 1, 0, 0, 2], 100));
    const joined = (await extentsOf(device)).map(({ offset, length, kind }) => [offset / chunkSize, length, kind]);
    assert.deepEqual(joined, [
      [0, chunkSize, 'hole'],
      [1, 2 * chunkSize, 'data'],
      [3, 2 * chunkSize, 'hole'],
      [5, chunkSize + 100, 'data'],
    ]);
    assert.deepEqual(await extentsOf(device, chunkSize - 1, 2), [
      { offset: chunkSize - 1, length: 1, kind: 'hole' },
      { offset: chunkSize, length: 1, kind: 'data' },
    ]);
  });

  test('a terabyte of nothing with a byte at either end is read and listed at once', async () => {
    const disk = memoryDevice(2 ** 40);
    await disk.write(pattern(1, 1), 0);
    await disk.write(pattern(1, 2), 2 ** 40 - 1);
    imageCount += 1;
    await using device = await temporary.store.openSnapshot(
      await importDisk(temporary.store, `disk${imageCount}`, disk),
    );
    assertEqualBytes(await contentOf(device, 2 ** 40 - 3, 3), Buffer.from([0, 0, pattern(1, 2)[0]!]), 'the end');
    assertEqualBytes(await contentOf(device, 2 ** 39 - 5, 100_000), new Uint8Array(100_000), 'the middle');
    const data = (await extentsOf(device)).filter(({ kind }) => kind === 'data');
    assert.deepEqual(
      data.map(({ offset }) => offset),
      [0, 2 ** 40 - chunkSize],
    );
  });

  test('refuses changes, and says what to do instead', async () => {
    await using device = await snapshotOf(pattern(100, 1));
    for (const change of [() => device.write(new Uint8Array(1), 0), () => device.zero(0, 1), () => device.trim(0, 1)]) {
      await assert.rejects(async () => change(), { name: 'VarveError', code: 'READ_ONLY' });
    }
  });

  test('holds its snapshot until it is disposed of, once', async () => {
    const { store } = temporary;
    const device = await snapshotOf(pattern(100, 1));
    assert.deepEqual(
      store.leases.living('read').map(({ purpose }) => purpose),
      [`read disk${imageCount}@1`],
    );
    await device[Symbol.asyncDispose]();
    await device[Symbol.asyncDispose]();
    assert.deepEqual(store.leases.living(), []);
  });
});
