import assert from 'node:assert/strict';
import { randomFillSync } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { diskOf } from '../../test/store/chunky-disk.ts';
import { runTogether } from '../../test/store/run-module.ts';
import {
  assertClean,
  assertSnapshot,
  importDisk,
  ingest,
  newSnapshot,
  temporaryStore,
} from '../../test/store/temporary-store.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { pattern } from '../conformance/device-content.ts';
import { delayFilter } from '../filter/delay.ts';
import { faultFilter } from '../filter/fault.ts';
import { sliceFilter } from '../filter/slice.ts';
import { chunkSize, hexOf } from './chunk.ts';
import { collectGarbage } from './collect-garbage.ts';
import { ingestDevice } from './ingest-device.ts';
import type { Store } from './store.ts';

function tableCounts(store: Store): Record<string, number> {
  const count = (table: string) => Number(store.catalog.get(`SELECT count(*) AS count FROM ${table}`)?.count);
  return Object.fromEntries(['packs', 'chunks', 'images', 'snapshots', 'leases'].map((table) => [table, count(table)]));
}

/** The files of a store's objects, relative to it. */
function objectFiles(path: string): string[] {
  return ['packs', 'snapshots', 'images', 'tmp'].flatMap((folder) =>
    fs
      .readdirSync(join(path, folder), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(folder, entry.name)),
  );
}

describe('ingestDevice', () => {
  test('keeps any disk bit for bit, stores each chunk once, and says what that cost', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const known = new Set<number>();
    const knownTails = new Set<number>();
    let turn = 0;
    const kinds = fc.array(fc.oneof(fc.nat(3), fc.nat(60)), { maxLength: 45 });
    await fc.assert(
      fc.asyncProperty(kinds, fc.constantFrom(0, 1, 4095, 4096, 65_535), fc.nat(2), async (list, tailLength, way) => {
        turn += 1;
        const content = diskOf(list, tailLength);
        const plain = memoryDevice(content);
        const odd = sliceFilter(memoryDevice(Buffer.concat([pattern(777, 1), content, pattern(99, 2)])), {
          offset: 777,
          length: content.length,
        });
        const snapshot = await importDisk(store, `disk${turn}`, [plain, odd, delayFilter(plain)][way] ?? plain);
        await assertSnapshot(store, `disk${turn}`, content);
        const data = list.filter((kind) => kind !== 0);
        const added = [...new Set(data)].filter((kind) => !known.has(kind)).length;
        const tail = tailLength > 0 ? 1 : 0;
        const addedTail = tail === 1 && !knownTails.has(tailLength) ? 1 : 0;
        assert.equal(snapshot.size, content.length);
        assert.equal(snapshot.statistics.dataLength, (data.length + tail) * chunkSize);
        assert.equal(snapshot.statistics.addedLength, (added + addedTail) * chunkSize);
        for (const kind of data) known.add(kind);
        if (tail === 1) knownTails.add(tailLength);
      }),
      { numRuns: 25 },
    );
    await assertClean(store);
  });

  test('the same content again adds nothing, by whichever way it comes', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    const content = diskOf([1, 2, 0, 0, 3, 1, 4, 0], 100);
    const first = await importDisk(store, 'web', content);
    const before = { tables: tableCounts(store), files: objectFiles(path) };
    for (const device of [memoryDevice(content), delayFilter(memoryDevice(content))]) {
      const again = await ingest(store, device);
      assert.equal(hexOf(again.root), hexOf(first.root));
      assert.deepEqual(again.statistics, { ...first.statistics, addedLength: 0, storedLength: 0 });
    }
    assert.deepEqual({ tables: tableCounts(store), files: objectFiles(path) }, before);
  });

  test('the last chunk is padded with zeros, not with what was read before', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const many = pattern(80 * chunkSize, 1);
    const long = Buffer.concat([many, many, pattern(10, 2)]);
    await importDisk(store, 'long', long);
    await assertSnapshot(store, 'long', long);
    const { statistics } = await ingest(store, pattern(10, 2));
    assert.equal(statistics.addedLength, 0, 'ten bytes and zeros are the same chunk at the end of any disk');
    assert.equal((await ingest(store, Buffer.concat([pattern(10, 2), new Uint8Array(5)]))).statistics.addedLength, 0);
  });

  test('disks of no bytes, of one, and of zeros only', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    for (const content of [new Uint8Array(0), new Uint8Array(1), pattern(1, 1), new Uint8Array(5 * chunkSize + 3)]) {
      const { image } = await importDisk(store, `disk-${content.length}-${content[0] ?? 'x'}`, content);
      await assertSnapshot(store, image, content);
    }
    const sparse = await ingest(store, memoryDevice(2 ** 42));
    assert.equal(sparse.size, 2 ** 42);
    assert.deepEqual({ ...sparse.statistics, storedLength: 0 }, { dataLength: 0, addedLength: 0, storedLength: 0 });
    await assertClean(store);
  });

  test('a device that fails leaves no snapshot, no lease and no file, and the error is its own', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    const content = pattern(100 * chunkSize, 1);
    await importDisk(store, 'other', diskOf([1, 2, 3]));
    const before = { tables: tableCounts(store), files: objectFiles(path) };
    for (const rule of [
      { operations: ['read' as const], after: 3 },
      { operations: ['extents' as const] },
      { range: { offset: 100 * chunkSize - 1, length: 1 }, operations: ['read' as const] },
    ]) {
      const device = faultFilter(memoryDevice(content), { rules: [{ ...rule, code: 'IO' }] });
      await assert.rejects(importDisk(store, 'web', device), { name: 'VarveError', code: 'IO' });
      assert.deepEqual({ tables: tableCounts(store), files: objectFiles(path) }, before);
    }
    await assertClean(store);
    await importDisk(store, 'web', content);
    await assertSnapshot(store, 'web', content);
  });

  test('an import that was cut off keeps the packs it had finished, until garbage collection', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    const content = randomFillSync(new Uint8Array(48 * 2 ** 20));
    const rule = { operations: ['read' as const], range: { offset: content.length - 1, length: 1 } };
    const broken = faultFilter(memoryDevice(content), { rules: [rule] });
    await assert.rejects(importDisk(store, 'web', broken), { code: 'IO' });
    assert.equal(tableCounts(store).packs, 1);
    const { statistics } = await ingest(store, content);
    assert.ok(statistics.addedLength <= 17 * 2 ** 20, `${statistics.addedLength} bytes were brought in again`);
    await collectGarbage(store);
    assert.deepEqual(objectFiles(path), []);
    assert.deepEqual(tableCounts(store), { packs: 0, chunks: 0, images: 0, snapshots: 0, leases: 0 });
  });

  test('stops soon when it is told to, and at once when it was told before', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    const content = pattern(40 * 2 ** 20, 3);
    const aborted = { name: 'VarveError', code: 'ABORTED' };
    for (const abortAt of [0, 2 ** 24, 2 ** 25]) {
      const controller = new AbortController();
      const positions: number[] = [];
      const onProgress = (position: number) => {
        positions.push(position);
        if (position >= abortAt) controller.abort(new Error('Ctrl-C'));
      };
      if (abortAt === 0) controller.abort(new Error('Ctrl-C'));
      await assert.rejects(async () => {
        await using session = store.beginIngest('import web');
        await ingestDevice(session, memoryDevice(content), { signal: controller.signal, onProgress });
      }, aborted);
      assert.ok(positions.every((position) => position <= abortAt + 2 ** 24));
    }
    assert.deepEqual(objectFiles(path), []);
    assert.equal(tableCounts(store).leases, 0);
  });

  test('progress goes forward to the size of the disk', async () => {
    await using temporary = await temporaryStore();
    await using session = temporary.store.beginIngest('import web');
    const positions: number[] = [];
    const onProgress = (position: number) => positions.push(position);
    await ingestDevice(session, memoryDevice(pattern(40 * 2 ** 20 + 5, 3)), { onProgress });
    assert.deepEqual(
      positions,
      positions.toSorted((a, b) => a - b),
    );
    assert.ok(positions.length >= 3);
    assert.equal(positions.at(-1), 40 * 2 ** 20 + 5);
  });

  test('several disks in one session, and sessions side by side, bring each chunk in', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const disks = [diskOf([1, 2, 3, 4]), diskOf([3, 4, 5, 6], 9), diskOf([8, 8, 8])];
    {
      await using session = store.beginIngest('several');
      const [first, second] = [disks[0] as Uint8Array, disks[1] as Uint8Array].map((disk) => memoryDevice(disk));
      const a = await ingestDevice(session, first!, {});
      const b = await ingestDevice(session, second!, {});
      assert.deepEqual([a.statistics.addedLength, b.statistics.addedLength], [4 * chunkSize, 3 * chunkSize]);
      store.edit.createImage('a', newSnapshot(a));
      store.edit.createImage('b', newSnapshot(b));
    }
    await Promise.all(Array.from({ length: 6 }, (_, index) => importDisk(store, `at-once-${index}`, disks[2]!)));
    for (const [name, disk] of [
      ['a', disks[0]],
      ['b', disks[1]],
      ['at-once-3', disks[2]],
    ] as const) {
      await assertSnapshot(store, name, disk as Uint8Array);
    }
    await assertClean(store);
  });

  test('processes that import the same content at the same moment both have it', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    const source = `
      const { importDisk } = await import('../store/temporary-store.ts');
      const { pattern } = await import('../../src/conformance/device-content.ts');
      const { openStore } = await import('../../src/store/store.ts');
      const [, path, name] = process.argv;
      await using store = await openStore(path);
      const content = pattern(5_000_000, 1);
      await start();
      await importDisk(store, name, content);
    `;
    const names = ['a', 'b', 'c'];
    const results = await runTogether(
      source,
      names.map((name) => [path, name]),
    );
    assert.deepEqual(
      results.map(({ status }) => status),
      [0, 0, 0],
    );
    for (const name of names) await assertSnapshot(store, name, pattern(5_000_000, 1));
    await assertClean(store);
    await collectGarbage(store);
    for (const name of names) await assertSnapshot(store, name, pattern(5_000_000, 1));
    assert.deepEqual((await assertClean(store)).leftovers, []);
  });
});
