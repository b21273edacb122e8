import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { memoryDevice } from '../block/memory-device.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { Snapshot } from './image-table.ts';
import { ingestDevice } from './ingest-device.ts';
import { measureOwnership, type Ownership } from './snapshot-ownership.ts';
import { openStore, type Store } from './store.ts';

const chunkBytes = 65_536;

/** A store to fill, which is gone with the test. */
async function emptyStore(t: TestContext): Promise<Store> {
  const path = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  const store = await openStore(join(path, 'store'), { create: true });
  t.after(async () => {
    await store[Symbol.asyncDispose]();
    fs.rmSync(path, { recursive: true, force: true });
  });
  return store;
}

/** The next snapshot of an image: a disk whose chunks hold one of these numbers each, 0 for nothing. */
async function addSnapshot(store: Store, image: string, chunks: readonly number[], chunkCount = 600): Promise<void> {
  await using device = memoryDevice(chunkCount * chunkBytes);
  for (const [index, value] of chunks.entries()) {
    if (value !== 0) await device.write(Uint8Array.of(value >> 8, value & 255), index * chunkBytes);
  }
  await using session = store.beginIngest('test');
  const content = await ingestDevice(session, device, {});
  const note = { message: '', author: 'tester', time: 0, content };
  if (store.images.find(image) === undefined) store.edit.createImage(image, { ...note, parent: undefined });
  else store.edit.addSnapshot(image, { ...note, parent: store.images.resolve(image) });
}

function bodiesOf({ garbage, images, shared, snapshots }: Ownership): object {
  return {
    ...Object.fromEntries(snapshots.map(({ bodies, snapshot }) => [`${snapshot.image}@${snapshot.number}`, bodies])),
    ...Object.fromEntries(images.map(({ bodies, image }) => [image, bodies])),
    shared: shared.bodies,
    garbage: garbage.bodies,
  };
}

test('measureOwnership tells what is a snapshot’s, an image’s, shared, or nobody’s', async (t) => {
  const store = await emptyStore(t);
  assert.deepEqual(bodiesOf(await measureOwnership(store)), { shared: 0, garbage: 0 });
  // Each has a root record, an upper node and a leaf of its own.
  await addSnapshot(store, 'a', [1, 2, 3]);
  await addSnapshot(store, 'a', [1, 2, 4, 4, 4]);
  await addSnapshot(store, 'b', [1, 5, 6]);
  const expected = { 'a@1': 4, 'a@2': 4, 'b@1': 5, a: 9, b: 5, shared: 1, garbage: 0 };
  assert.deepEqual(bodiesOf(await measureOwnership(store)), expected);
  store.edit.removeSnapshots('a', [1]);
  assert.deepEqual(bodiesOf(await measureOwnership(store)), { 'a@2': 5, 'b@1': 5, a: 5, b: 5, shared: 1, garbage: 4 });
  await collectGarbage(store);
  assert.deepEqual(bodiesOf(await measureOwnership(store)), { 'a@2': 5, 'b@1': 5, a: 5, b: 5, shared: 1, garbage: 0 });
});

/** How many bodies nothing would need any more without some snapshots, which stay. */
async function deadWithout(store: Store, gone: readonly Snapshot[]): Promise<number> {
  const rows = gone.map(({ id }) => store.catalog.get('SELECT * FROM snapshots WHERE id = ?', id)!);
  for (const { id } of gone) store.catalog.run('DELETE FROM snapshots WHERE id = ?', id);
  const { deletedChunks } = await collectGarbage(store, { dryRun: true });
  for (const row of rows) {
    const places = Object.keys(row).map(() => '?');
    store.catalog.run(
      `INSERT INTO snapshots (${Object.keys(row).join(', ')}) VALUES (${places.join(', ')})`,
      ...(Object.values(row) as (string | number | null | Uint8Array)[]),
    );
  }
  return deletedChunks;
}

test('measureOwnership says what garbage collection would find without each of random snapshots and images', async (t) => {
  const store = await emptyStore(t);
  const seed = Math.floor(Math.random() * 2 ** 31);
  t.diagnostic(`seed ${seed}`);
  let state = seed;
  const random = (limit: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fffffff;
    return (state >>> 8) % limit;
  };
  for (let each = 0; each < 14; each++) {
    const chunks = Array.from({ length: 1 + random(20) }, () => random(60));
    await addSnapshot(store, `image${random(3)}`, each % 5 === 4 ? [] : chunks);
  }
  const { images, snapshots } = await measureOwnership(store);
  assert.equal(snapshots.length, 14);
  for (const { bodies, snapshot } of snapshots) {
    assert.equal(bodies, await deadWithout(store, [snapshot]), `${snapshot.image}@${snapshot.number}`);
  }
  for (const { bodies, image } of images) {
    assert.equal(bodies, await deadWithout(store, store.images.snapshots(image)), image);
  }
});
