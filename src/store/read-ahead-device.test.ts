import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import fc from 'fast-check';
import { importDisk, type TemporaryStore, temporaryStore } from '../../test/store/temporary-store.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { testBlockDevice } from '../conformance/block-device.ts';
import { assertEqualBytes, contentOf, extentsOf, pattern } from '../conformance/device-content.ts';
import { chunkSize } from './chunk.ts';
import { packKey } from './chunk-table.ts';
import { ContentMap } from './content-map.ts';
import type { Snapshot } from './image-table.ts';
import { readAheadDevice } from './read-ahead-device.ts';
import type { Store } from './store.ts';

/** A read-ahead device over a snapshot, which disposes of the snapshot's device, too. */
async function openAhead(store: Store, snapshot: Snapshot): Promise<BlockDevice> {
  const device = await store.openSnapshot(snapshot);
  const ahead = readAheadDevice(store, await ContentMap.open(store.reader, snapshot.root), device);
  const dispose = ahead[Symbol.asyncDispose].bind(ahead);
  return Object.assign(ahead, {
    async [Symbol.asyncDispose]() {
      await dispose();
      await device[Symbol.asyncDispose]();
    },
  });
}

/** Chunks that shrink, chunks that do not, and gaps, some as long as a window and some as long as a leaf. */
function mixedDisk(chunkCount: number): Uint8Array {
  const disk = new Uint8Array(chunkCount * chunkSize - 1000);
  for (let index = 0; index < chunkCount; index += 1) {
    const kind = index < 700 ? index % 5 : index % 40;
    const place = disk.subarray(index * chunkSize, (index + 1) * chunkSize);
    if (kind === 1 || kind === 2) place.set(pattern(place.length, index));
    if (kind === 3) place.fill(1 + (index % 255));
  }
  return disk;
}

describe('readAheadDevice', () => {
  let temporary: TemporaryStore;
  let store: Store;
  const disk = mixedDisk(1400);
  let snapshot: Snapshot;

  before(async () => {
    temporary = await temporaryStore();
    store = temporary.store;
    snapshot = await importDisk(store, 'mixed', disk);
  });

  after(() => temporary[Symbol.asyncDispose]());

  test('gives every byte to who reads from front to back, whatever the pieces', async () => {
    for (const pieceSize of [chunkSize, 2 ** 20, 700_001]) {
      await using device = await openAhead(store, snapshot);
      const piece = new Uint8Array(pieceSize);
      for (let offset = 0; offset < device.size; offset += pieceSize) {
        const part = piece.subarray(0, Math.min(pieceSize, device.size - offset));
        await device.read(part, offset);
        assertEqualBytes(part, disk.subarray(offset, offset + part.length), `${pieceSize} bytes at ${offset}`);
      }
    }
  });

  test('gives every byte to who skips holes, with several reads under way', async () => {
    await using device = await openAhead(store, snapshot);
    const extents = (await extentsOf(device)).filter(({ kind }) => kind === 'data');
    const parts = await Promise.all(extents.map(({ offset, length }) => contentOf(device, offset, length)));
    for (const [index, { offset, length }] of extents.entries()) {
      assertEqualBytes(parts[index] as Uint8Array, disk.subarray(offset, offset + length), `${length} at ${offset}`);
    }
  });

  test('gives every byte to who jumps about', async () => {
    const place = fc.nat(disk.length - 1);
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(place, fc.integer({ min: 1, max: 300_000 })), { maxLength: 12 }),
        async (reads) => {
          await using device = await openAhead(store, snapshot);
          for (const [offset, wanted] of reads) {
            const length = Math.min(wanted, disk.length - offset);
            const bytes = await contentOf(device, offset, length);
            assertEqualBytes(bytes, disk.subarray(offset, offset + length), `${length} bytes at ${offset}`);
          }
        },
      ),
      { numRuns: 20 },
    );
  });

  test('a damaged chunk is CORRUPT and its neighbours are not', async () => {
    const other = await importDisk(store, 'damaged', pattern(200 * chunkSize, 1).fill(7, 0, 100 * chunkSize));
    const map = await ContentMap.open(store.reader, other.root);
    for (const [chunkIndex, change] of [
      [0, 12],
      [150, 3000],
    ] as const) {
      const leaf = (await map.leafAt(chunkIndex)) as Uint8Array;
      const location = store.chunks.find(leaf.subarray(chunkIndex * 32, chunkIndex * 32 + 32))!;
      const path = join(temporary.path, location.packKey);
      const file = fs.openSync(path, 'r+');
      fs.writeSync(file, Buffer.from('!?'), 0, 2, location.offset + Math.min(change, location.storedLength - 2));
      fs.closeSync(file);
    }
    await using device = await openAhead(store, other);
    // All of the first hundred chunks are one and the same.
    await assert.rejects(Promise.resolve(device.read(new Uint8Array(10), 50 * chunkSize)), { code: 'CORRUPT' });
    await assert.rejects(contentOf(device, 140 * chunkSize, 20 * chunkSize), { code: 'CORRUPT' });
    await contentOf(device, 140 * chunkSize, 10 * chunkSize);
    await contentOf(device, 151 * chunkSize);
  });

  test('a chunk in an impossible place is CORRUPT and its neighbours are not', async () => {
    const other = await importDisk(store, 'misplaced', pattern(10 * chunkSize, 55));
    const leaf = (await (await ContentMap.open(store.reader, other.root)).leafAt(0)) as Uint8Array;
    store.catalog.run('UPDATE chunks SET stored_length = -1 WHERE name = ?', leaf.subarray(5 * 32, 6 * 32));
    await using device = await openAhead(store, other);
    assertEqualBytes(
      await contentOf(device, 0, 5 * chunkSize),
      pattern(10 * chunkSize, 55).subarray(0, 5 * chunkSize),
      '',
    );
    await assert.rejects(contentOf(device, 5 * chunkSize, 1), { code: 'CORRUPT' });
    await contentOf(device, 6 * chunkSize, 4 * chunkSize);
  });

  test('a missing pack is CORRUPT', async () => {
    const other = await importDisk(store, 'missing', pattern(300_000, 99));
    const pack = store.catalog.get('SELECT name FROM packs ORDER BY id DESC LIMIT 1')?.name as Uint8Array;
    await using device = await openAhead(store, other);
    store.packs.delete(packKey(pack));
    await assert.rejects(contentOf(device), { code: 'CORRUPT' });
  });
});

testBlockDevice(
  'readAheadDevice',
  async (content) => {
    const temporary = await temporaryStore();
    const device = await openAhead(temporary.store, await importDisk(temporary.store, 'disk', content));
    const dispose = device[Symbol.asyncDispose].bind(device);
    let disposed: Promise<void> | undefined;
    const disposeAll = async () => {
      await dispose();
      await temporary[Symbol.asyncDispose]();
    };
    return Object.assign(device, {
      [Symbol.asyncDispose]() {
        disposed ??= disposeAll();
        return disposed;
      },
    });
  },
  { writable: false, sparse: true },
);
