import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { diskOf, noiseDisk } from '../../test/store/chunky-disk.ts';
import { startModule } from '../../test/store/run-module.ts';
import {
  assertClean,
  assertSnapshot,
  importDisk,
  ingest,
  newSnapshot,
  temporaryStore,
} from '../../test/store/temporary-store.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { assertEqualBytes, contentOf } from '../conformance/device-content.ts';
import { chunkSize, hexOf, isZeroName, nameFromHex } from './chunk.ts';
import { packKey } from './chunk-table.ts';
import { collectGarbage } from './collect-garbage.ts';
import { ContentMap } from './content-map.ts';
import { nameOf } from './hash.ts';
import { sameContentAs } from './image-editor.ts';
import { nameIn } from './map-format.ts';
import { openStore, type Store } from './store.ts';
import { verifyStore } from './verify-store.ts';

const nothing = { deletedChunks: 0, deletedPacks: 0, rewrittenPacks: 0, freedBytes: 0 };

/** The names of all bodies that a content needs. */
async function namesUnder(store: Store, root: Uint8Array): Promise<Set<string>> {
  const names = new Set([hexOf(root)]);
  const map = await ContentMap.open(store.reader, root);
  const walk = async (name: Uint8Array, level: number): Promise<void> => {
    if (isZeroName(name)) return;
    names.add(hexOf(name));
    if (level === 0) return;
    const node = await map.node(name);
    for (let index = 0; index < 512; index += 1) await walk(nameIn(node, index), level - 1);
  };
  await walk(map.top, map.depth);
  return names;
}

async function assertHoldsExactly(store: Store, roots: readonly Uint8Array[]): Promise<void> {
  const needed = new Set<string>();
  for (const root of roots) for (const name of await namesUnder(store, root)) needed.add(name);
  const there = store.catalog.all('SELECT name FROM chunks').map((row) => hexOf(row.name as Uint8Array));
  assert.deepEqual(there.sort(), [...needed].sort());
}

function packCount(store: Store): number {
  const known = Number(store.catalog.get('SELECT count(*) AS count FROM packs')?.count);
  assert.equal([...store.packs.list('packs')].length, known, 'as many files as the catalog knows');
  return known;
}

function packBytes(store: Store): number {
  return [...store.packs.list('packs')].reduce((sum, { size }) => sum + size, 0);
}

/** A store beside plain bytes: does an operation to both, and compares. */
class Model implements AsyncDisposable {
  readonly store: Store;
  readonly #images = new Map<string, Map<number, Uint8Array>>();
  readonly #readers: { device: BlockDevice; root: Uint8Array; content: Uint8Array }[] = [];
  #imageCount = 0;

  constructor(store: Store) {
    this.store = store;
  }

  async run([kind, a, b, disk]: readonly [string, number, number, readonly number[]]): Promise<void> {
    const name = [...this.#images.keys()][a % Math.max(1, this.#images.size)];
    if (kind === 'import' || name === undefined) await this.#import(disk, a % 2 === 0 ? 0 : b);
    else await this.#change(kind, name, b, disk);
  }

  async check(): Promise<void> {
    const report = await verifyStore(this.store);
    assert.deepEqual(report.problems, []);
    for (const [name, snapshots] of this.#images) {
      assert.deepEqual(
        this.store.images.snapshots(name).map(({ number }) => number),
        [...snapshots.keys()],
      );
      for (const [number, content] of snapshots) await assertSnapshot(this.store, `${name}@${number}`, content);
    }
    for (const { device, content } of this.#readers) assertEqualBytes(await contentOf(device), content, 'a reader');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { device } of this.#readers) await device[Symbol.asyncDispose]();
  }

  async #import(disk: readonly number[], tailLength: number): Promise<void> {
    this.#imageCount += 1;
    const name = `image${this.#imageCount}`;
    const content = diskOf(disk, tailLength);
    await importDisk(this.store, name, content);
    this.#images.set(name, new Map([[1, content]]));
  }

  async #change(kind: string, name: string, b: number, disk: readonly number[]): Promise<void> {
    const { store } = this;
    const snapshots = this.#images.get(name)!;
    const number = [...snapshots.keys()][b % snapshots.size]!;
    const snapshot = store.images.resolve(`${name}@${number}`);
    const content = snapshots.get(number)!;
    if (kind === 'update') {
      const next = diskOf(disk);
      snapshots.set((await importDisk(store, name, next)).number, next);
    } else if (kind === 'clone') {
      this.#imageCount += 1;
      store.edit.createImage(`image${this.#imageCount}`, newSnapshot(sameContentAs(snapshot), { parent: snapshot }));
      this.#images.set(`image${this.#imageCount}`, new Map([[1, content]]));
    } else if (kind === 'remove' && snapshots.size > 1) {
      store.edit.removeSnapshots(name, [number]);
      snapshots.delete(number);
    } else if (kind === 'remove') {
      store.edit.removeImage(name);
      this.#images.delete(name);
    } else if (kind === 'open') {
      this.#readers.push({ device: await store.openSnapshot(snapshot), root: snapshot.root, content });
    } else if (kind === 'close') {
      const [reader] = this.#readers.splice(b % Math.max(1, this.#readers.length), 1);
      await reader?.device[Symbol.asyncDispose]();
    } else if (kind === 'collect') await this.#collect();
  }

  async #collect(): Promise<void> {
    const before = packBytes(this.store);
    const report = await collectGarbage(this.store);
    assert.equal(report.freedBytes, before - packBytes(this.store));
    const snapshots = [...this.store.images.every()];
    await assertHoldsExactly(
      this.store,
      [...snapshots, ...this.#readers].map(({ root }) => root),
    );
    packCount(this.store);
    assert.deepEqual((await verifyStore(this.store)).leftovers, []);
    assert.deepEqual(await collectGarbage(this.store), nothing, 'a second time there is nothing to do');
  }
}

describe('collectGarbage', () => {
  test('removes exactly what is dead, after any history, under nobody who reads', async () => {
    const kind = fc.constantFrom('import', 'update', 'update', 'clone', 'remove', 'remove', 'open', 'close', 'collect');
    const disk = fc.array(fc.nat(12), { maxLength: 10 });
    const operations = fc.array(fc.tuple(kind, fc.nat(99), fc.nat(99), disk), { minLength: 10, maxLength: 30 });
    await fc.assert(
      fc.asyncProperty(operations, async (list) => {
        await using temporary = await temporaryStore();
        await using model = new Model(temporary.store);
        for (const operation of list) {
          await model.run(operation);
          await model.check();
        }
        await model.run(['collect', 0, 0, []]);
        await model.check();
      }),
      { numRuns: 8 },
    );
  });

  test('copies what lives in a mostly dead pack, and nothing of one that mostly lives', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    await importDisk(store, 'large', noiseDisk(40));
    await importDisk(store, 'part', noiseDisk(40).subarray(0, 10 * chunkSize));
    await importDisk(store, 'other', noiseDisk(40, 2));
    await importDisk(store, 'most', noiseDisk(40, 2).subarray(0, 30 * chunkSize));
    store.edit.removeImage('large');
    store.edit.removeImage('other');
    const before = packBytes(store);
    const plan = await collectGarbage(store, { dryRun: true });
    assert.equal(packBytes(store), before);
    const report = await collectGarbage(store);
    assert.equal(report.rewrittenPacks, 1);
    assert.equal(plan.rewrittenPacks, 1);
    assert.equal(plan.deletedChunks, report.deletedChunks);
    assert.equal(report.freedBytes, before - packBytes(store));
    assert.ok(Math.abs(plan.freedBytes - report.freedBytes) < 10_000, 'what a dry run says is about what is freed');
    assert.ok(report.freedBytes > 25 * chunkSize && report.freedBytes < 31 * chunkSize);
    await assertSnapshot(store, 'part', noiseDisk(40).subarray(0, 10 * chunkSize));
    await assertSnapshot(store, 'most', noiseDisk(40, 2).subarray(0, 30 * chunkSize));
    assert.deepEqual(await collectGarbage(store), nothing);
  });

  test('leaves small packs alone while there are few, and merges many', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    for (let index = 1; index < 32; index += 1) await importDisk(store, 'web', diskOf([index]));
    assert.deepEqual(await collectGarbage(store), nothing);
    assert.equal(packCount(store), 31);
    await importDisk(store, 'web', diskOf([32]));
    const report = await collectGarbage(store);
    assert.deepEqual([report.rewrittenPacks, report.deletedPacks, report.deletedChunks], [32, 32, 0]);
    assert.equal(packCount(store), 1);
    assert.deepEqual(await collectGarbage(store), nothing);
    for (let index = 1; index <= 32; index += 1) await assertSnapshot(store, `web@${index}`, diskOf([index]));
  });

  test('has nothing to do in a store of empty disks, however often it runs', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    assert.deepEqual(await collectGarbage(store), nothing);
    await importDisk(store, 'none', new Uint8Array(0));
    await importDisk(store, 'zeros', new Uint8Array(10 * chunkSize));
    await importDisk(store, 'one', diskOf([1]));
    assert.deepEqual(await collectGarbage(store), nothing);
  });

  test('a dry run says what would be, and changes nothing', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    await importDisk(store, 'web', diskOf([1, 2, 3]));
    await importDisk(store, 'gone', diskOf([4, 5, 6]));
    store.edit.removeImage('gone');
    const before = packBytes(store);
    const plan = await collectGarbage(store, { dryRun: true });
    assert.deepEqual([plan.deletedPacks, plan.deletedChunks], [1, 5]);
    assert.equal(packBytes(store), before);
    assert.equal(store.leases.living().length, 0);
    assert.deepEqual(await collectGarbage(store), plan);
  });

  test('deletes files that belong to nothing, and only those', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    await importDisk(store, 'web', diskOf([1, 2]));
    store.edit.tag('web@1', 'golden', { move: false });
    const strays = [
      packKey(nameFromHex('ab'.repeat(32))!),
      'packs/ab/not-a-name.pack',
      `snapshots/${'cd'.repeat(32)}.json`,
      'snapshots/readme.txt',
      'images/6ba7b810-9dad-41d1-80b4-00c04fd430c8.json',
      'tmp/1-0123456789abcdef',
    ];
    for (const key of strays) store.packs.replace(key, new Uint8Array(100));
    const { leftovers } = await assertClean(store);
    assert.deepEqual([...leftovers].sort(), [...strays].sort());
    const report = await collectGarbage(store);
    assert.deepEqual(report, { ...nothing, freedBytes: 600 });
    assert.deepEqual((await assertClean(store)).leftovers, []);
    for (const key of strays) assert.equal(fs.existsSync(join(path, key)), false);
    await assertSnapshot(store, 'web@golden', diskOf([1, 2]));
  });

  test('stops when it is told to, and leaves a whole store', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    await importDisk(store, 'web', diskOf([1, 2]));
    await importDisk(store, 'gone', diskOf([3, 4]));
    store.edit.removeImage('gone');
    await assert.rejects(collectGarbage(store, { signal: AbortSignal.abort() }), { code: 'ABORTED' });
    assert.deepEqual(store.leases.living(), []);
    await assertClean(store);
    assert.equal((await collectGarbage(store)).deletedPacks, 1);
  });

  test('is refused while another collection runs', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const lease = store.catalog.write(() => store.leases.take('collect', 'another'));
    await assert.rejects(collectGarbage(store), { code: 'BUSY', message: /collecting garbage here already/ });
    store.leases.release(lease);
    assert.deepEqual(await collectGarbage(store), nothing);
  });
});

describe('collectGarbage beside others', () => {
  /** What a process does that `ask`s for a word on its standard input before it goes on. */
  function startStep(path: string, steps: string) {
    const child = startModule(
      `const { openStore } = await import('../../src/store/store.ts');
       const { ingestDevice } = await import('../../src/store/ingest-device.ts');
       const { memoryDevice } = await import('../../src/block/memory-device.ts');
       const { contentOf } = await import('../../src/conformance/device-content.ts');
       const { newSnapshot } = await import('../store/temporary-store.ts');
       const { noiseDisk } = await import('../store/chunky-disk.ts');
       const { hexOf } = await import('../../src/store/chunk.ts');
       const { nameOf } = await import('../../src/store/hash.ts');
       const lines = process.stdin[Symbol.asyncIterator]();
       const say = (word) => console.log(word);
       const ask = async (word) => { say(word); await lines.next(); };
       await using store = await openStore(process.argv[1]);
       ${steps}
       lines.return();`,
      [path],
    );
    return {
      said: async () => String((await once(child.stdout!, 'data'))[0]).trim(),
      goOn: () => child.stdin!.write('go on\n'),
      ended: async () => {
        if (child.exitCode === null) await once(child, 'close');
        assert.equal(child.exitCode, 0);
      },
    };
  }

  test('waits for an import that found dead chunks, and leaves them to it', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    await importDisk(store, 'gone', noiseDisk(20));
    store.edit.removeImage('gone');
    const other = startStep(
      path,
      `await using session = store.beginIngest('import web');
       const content = await ingestDevice(session, memoryDevice(noiseDisk(20)), {});
       await ask('added ' + content.statistics.addedLength);
       store.edit.createImage('web', newSnapshot(content));
       await ask('named');`,
    );
    assert.equal(await other.said(), 'added 0');
    await assert.rejects(collectGarbage(store, { waitMs: 100 }), { code: 'BUSY', message: /import web/ });
    const collecting = collectGarbage(store);
    other.goOn();
    assert.equal(await other.said(), 'named');
    other.goOn();
    assert.equal((await collecting).deletedChunks, 0);
    await other.ended();
    await assertSnapshot(store, 'web', noiseDisk(20));
    await assertClean(store);
  });

  test('a reader in another process reads on when its snapshot is removed and its neighbours move', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    await importDisk(store, 'large', noiseDisk(60));
    await importDisk(store, 'part', noiseDisk(60).subarray(0, 20 * chunkSize));
    const other = startStep(
      path,
      `await using device = await store.openSnapshot(store.images.resolve('part'));
       const first = new Uint8Array(1000);
       await device.read(first, 0);
       await ask('open');
       await ask(hexOf(nameOf(await contentOf(device))));`,
    );
    assert.equal(await other.said(), 'open');
    store.edit.removeImage('large');
    store.edit.removeImage('part');
    const report = await collectGarbage(store);
    assert.equal(report.rewrittenPacks, 1);
    other.goOn();
    assert.equal(await other.said(), hexOf(nameOf(noiseDisk(60).subarray(0, 20 * chunkSize))));
    other.goOn();
    await other.ended();
    assert.equal((await collectGarbage(store)).deletedPacks, 2, 'the chunks and their map');
    assert.equal(packCount(store), 0);
  });

  test('a reader that knew where a chunk was finds it where it is now', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    await importDisk(store, 'large', noiseDisk(60));
    await importDisk(store, 'part', noiseDisk(60).subarray(0, 20 * chunkSize));
    store.edit.removeImage('large');
    await using other = await openStore(path);
    await using device = await other.openSnapshot(other.images.resolve('part'));
    const chunk = nameOf(noiseDisk(1));
    const before = other.chunks.find(chunk)!;
    await collectGarbage(store);
    assert.notEqual(other.chunks.find(chunk)!.packKey, before.packKey);
    assert.throws(() => other.packs.read(before.packKey, new Uint8Array(1), 0), { code: 'NOT_FOUND' });
    assertEqualBytes(await contentOf(device), noiseDisk(60).subarray(0, 20 * chunkSize), 'part');
  });

  test('a snapshot that was removed and collected cannot be opened or compared any more', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const gone = await importDisk(store, 'gone', noiseDisk(2));
    const web = await importDisk(store, 'web', noiseDisk(3));
    store.edit.removeImage('gone');
    const removed = { name: 'VarveError', code: 'NOT_FOUND', message: /gone@1 was removed meanwhile/ };
    await (await store.openSnapshot(gone))[Symbol.asyncDispose]();
    await collectGarbage(store);
    await assert.rejects(store.openSnapshot(gone), removed);
    await assert.rejects(Array.fromAsync(store.changes(web, gone)), removed);
    assert.deepEqual(store.leases.living(), []);
  });

  test('a comparison goes on when what it compares is removed meanwhile', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    const kinds = Array.from({ length: 1200 }, (_, index) => (index % 400 === 0 ? index + 4 : 0));
    const a = await importDisk(store, 'a', diskOf(kinds));
    const b = await importDisk(store, 'b', diskOf(kinds.map((kind) => kind * 2)));
    await using other = await openStore(path);
    const changes = other.changes(a, b)[Symbol.asyncIterator]();
    const first = await changes.next();
    assert.equal(first.value?.chunkIndex, 0);
    store.edit.removeImage('a');
    store.edit.removeImage('b');
    await collectGarbage(store);
    assert.equal((await changes.next()).value?.chunkIndex, 400);
    assert.equal((await changes.next()).value?.chunkIndex, 800);
    assert.equal((await changes.next()).done, true);
    assert.equal((await collectGarbage(store)).deletedPacks, 2);
  });
});

describe('collectGarbage in a damaged store', () => {
  /** Changes the byte in the middle of where a body is stored. */
  function damage(store: Store, name: Uint8Array): void {
    const { packKey: key, offset, storedLength } = store.chunks.find(name)!;
    const file = fs.openSync(join(store.path, key), 'r+');
    const place = offset + Math.floor(storedLength / 2);
    const byte = new Uint8Array(1);
    fs.readSync(file, byte, 0, 1, place);
    byte[0]! ^= 0x10;
    fs.writeSync(file, byte, 0, 1, place);
    fs.closeSync(file);
  }

  test('collects the rest when a chunk, a pack or its index is damaged, and loses nothing that is whole', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    const disks = [1, 2, 3, 4].map((seed) => noiseDisk(20, seed));
    for (const [index, disk] of disks.entries()) {
      await importDisk(store, `large${index}`, disk);
      await importDisk(store, `part${index}`, disk.subarray(0, 3 * chunkSize));
    }
    for (const index of disks.keys()) store.edit.removeImage(`large${index}`);
    damage(store, nameOf(disks[0]!.subarray(0, chunkSize)));
    const packOf = (index: number) => store.chunks.find(nameOf(disks[index]!.subarray(0, chunkSize)))!.packKey;
    const [, cut, missing] = [0, 1, 2].map((index) => join(path, packOf(index))) as [string, string, string];
    fs.truncateSync(cut, fs.statSync(cut).size - 1);
    fs.rmSync(missing);
    await using fresh = await openStore(path);
    // The index at the end of the pack is gone, the bodies before it are not.
    const report = await collectGarbage(fresh);
    assert.ok(report.freedBytes > 12 * chunkSize, `${report.freedBytes}`);
    await assertSnapshot(fresh, 'part1', disks[1]!.subarray(0, 3 * chunkSize));
    await assertSnapshot(fresh, 'part3', disks[3]!.subarray(0, 3 * chunkSize));
    await using hurt = await fresh.openSnapshot(fresh.images.resolve('part0'));
    await assert.rejects(contentOf(hurt, 0, 1), { code: 'CORRUPT' });
    assertEqualBytes(await contentOf(hurt, chunkSize), disks[0]!.subarray(chunkSize, 3 * chunkSize), 'part0');
  });

  test('refuses when a map cannot be read, and deletes nothing', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    const { root } = await importDisk(store, 'web', noiseDisk(3));
    const { top } = await ContentMap.open(store.reader, root);
    await importDisk(store, 'gone', noiseDisk(3, 2));
    store.edit.removeImage('gone');
    damage(store, top);
    await using fresh = await openStore(path);
    const before = packCount(fresh);
    await assert.rejects(collectGarbage(fresh), { code: 'CORRUPT' });
    assert.equal(packCount(fresh), before);
    assert.deepEqual(fresh.leases.living(), []);
    fresh.edit.removeImage('web');
    await collectGarbage(fresh);
    assert.equal(packCount(fresh), 0);
  });

  test('a content that was brought in again after its packs were collected is whole', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    await ingest(store, noiseDisk(5));
    await collectGarbage(store);
    assert.equal(packCount(store), 0);
    await importDisk(store, 'web', noiseDisk(5));
    await assertSnapshot(store, 'web', noiseDisk(5));
    await assertClean(store);
  });
});
