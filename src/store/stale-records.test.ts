import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { diskOf } from '../../test/store/chunky-disk.ts';
import { assertClean, importDisk, temporaryStore } from '../../test/store/temporary-store.ts';
import { collectGarbage } from './collect-garbage.ts';
import { encodeImageRecord, type ImageRecord, imageRecordKey } from './image-record.ts';
import { rebuildCatalog } from './rebuild-catalog.ts';
import { staleRecords } from './stale-records.ts';
import { openStore, type Store } from './store.ts';
import { verifyStore } from './verify-store.ts';

const note = { message: '', author: 'test', time: Date.UTC(2026, 1, 1) };

/** A store with an image that has a record, and one that has none. */
async function recordedStore() {
  const temporary = await temporaryStore();
  const { store } = temporary;
  for (const kind of [1, 2]) await importDisk(store, 'web', diskOf([kind]));
  await importDisk(store, 'plain', diskOf([3]));
  store.edit.tag('web@1', 'golden', { move: false });
  store.edit.describe('web@2', 'what it is');
  const { id, uuid } = store.images.get('web');
  return { ...temporary, key: imageRecordKey(uuid), record: store.images.record(id)! };
}

function staleKeys(store: Store): [string, boolean][] {
  return [...staleRecords(store)].map(({ key, damage }) => [key, damage !== undefined]);
}

describe('staleRecords', () => {
  test('has none where records say what the catalog says, also after more snapshots', async () => {
    await using recorded = await recordedStore();
    const { store } = recorded;
    assert.deepEqual(staleKeys(store), []);
    store.edit.repeatNewest('web', note);
    store.edit.rename('plain', 'renamed');
    store.edit.repeatNewest('renamed', note);
    assert.deepEqual(staleKeys(store), []);
    assert.deepEqual((await assertClean(store)).leftovers, []);
    store.edit.removeSnapshots('web', [2]);
    store.edit.removeImage('renamed');
    assert.deepEqual(staleKeys(store), []);
  });

  test('finds what was written and never committed: no damage, and gone with garbage collection', async () => {
    const changes: readonly Partial<ImageRecord>[] = [
      { name: 'renamed' },
      { tags: {} },
      { tags: { golden: 2 } },
      { tags: { golden: 1, more: 2 } },
      { messages: {} },
      { messages: { 2: 'something else' } },
    ];
    for (const change of changes) {
      await using recorded = await recordedStore();
      const { store, path, key, record } = recorded;
      store.packs.replace(key, encodeImageRecord({ ...record, ...change }));
      assert.deepEqual(staleKeys(store), [[key, false]], JSON.stringify(change));
      assert.deepEqual((await assertClean(store)).leftovers, [key]);
      await collectGarbage(store);
      assert.deepEqual((await assertClean(store)).leftovers, []);
      await store[Symbol.asyncDispose]();
      await rebuildCatalog(path);
      await using again = await openStore(path);
      assert.deepEqual(again.images.resolve('web@golden').number, 1);
      assert.equal(again.images.resolve('web@2').message, 'what it is');
    }
  });

  test('one for an image that was never changed is set right too', async () => {
    await using recorded = await recordedStore();
    const { store } = recorded;
    const { uuid } = store.images.get('plain');
    const early = { uuid, name: 'renamed', nextNumber: 2, tags: {}, messages: {} };
    store.packs.replace(imageRecordKey(uuid), encodeImageRecord(early));
    assert.deepEqual(staleKeys(store), [[imageRecordKey(uuid), false]]);
    await collectGarbage(store);
    assert.deepEqual(staleKeys(store), []);
  });

  test('one that is damaged or missing is a problem that garbage collection sets right', async () => {
    const damages: Record<string, (path: string) => void> = {
      missing: (path) => fs.rmSync(path),
      'no JSON': (path) => fs.truncateSync(path, 50),
      'no image record': (path) => fs.writeFileSync(path, '{}'),
    };
    for (const [message, damage] of Object.entries(damages)) {
      await using recorded = await recordedStore();
      const { store, path, key } = recorded;
      const before = fs.readFileSync(join(path, key), 'utf8');
      damage(join(path, key));
      const { problems } = await verifyStore(store);
      assert.equal(problems.length, 1);
      assert.match(problems[0]!.message, new RegExp(`^${key}: .*${message}.*varve gc writes it anew$`));
      await collectGarbage(store);
      await assertClean(store);
      assert.equal(fs.readFileSync(join(path, key), 'utf8'), before);
    }
  });
});
