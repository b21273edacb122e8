import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { diskOf } from '../../test/store/chunky-disk.ts';
import {
  assertClean,
  assertSnapshot,
  importDisk,
  newSnapshot,
  temporaryFolder,
  temporaryStore,
} from '../../test/store/temporary-store.ts';
import { hexOf } from './chunk.ts';
import { collectGarbage } from './collect-garbage.ts';
import { nameOf } from './hash.ts';
import { sameContentAs } from './image-editor.ts';
import { encodeImageRecord, imageRecordKey } from './image-record.ts';
import { decodeManifest, encodeManifest, type Manifest, manifestKey } from './manifest.ts';
import { rebuildCatalog } from './rebuild-catalog.ts';
import { openStore, type Store } from './store.ts';
import { verifyStore } from './verify-store.ts';

const note = { message: 'again', author: 'test', time: Date.UTC(2026, 1, 1) };

/** All that a user sees of the images. */
function imagesOf(store: Store): unknown {
  const asText = (bytes: Uint8Array | undefined) => bytes && hexOf(bytes);
  return store.images.all().map(({ name, uuid, snapshotCount }) => ({
    ...{ name, uuid, snapshotCount },
    snapshots: store.images.snapshots(name).map(({ id, parent, root, ...rest }) => ({
      ...rest,
      id: asText(id),
      parent: asText(parent),
      root: asText(root),
    })),
  }));
}

const catalogFiles = ['catalog.sqlite', 'catalog.sqlite-wal', 'catalog.sqlite-shm'];

/** Closes a store, loses its catalog by `lose`, rebuilds it and opens it again. */
async function rebuilt(store: Store, lose: (path: string) => void = removeCatalog) {
  const { path } = store;
  await store[Symbol.asyncDispose]();
  lose(path);
  const report = await rebuildCatalog(path);
  return { report, store: await openStore(path) };
}

function removeCatalog(path: string): void {
  for (const file of catalogFiles) fs.rmSync(join(path, file), { force: true });
}

/** A store whose images have been through everything that changes images. */
async function livedInStore() {
  const temporary = await temporaryStore();
  const { store } = temporary;
  for (const kind of [1, 2, 3, 4]) await importDisk(store, 'web', diskOf([kind, 9, kind]));
  await importDisk(store, 'db', diskOf([5, 9], 77));
  await importDisk(store, 'gone', diskOf([6]));
  const parent = store.images.resolve('web@2');
  store.edit.createImage('clone', newSnapshot(sameContentAs(parent), { parent, message: 'a\nclone 😀' }));
  store.edit.tag('web@1', 'golden', { move: false });
  store.edit.tag('web@2', '__proto__', { move: false });
  store.edit.tag('web@3', 'temporary', { move: false });
  store.edit.tag('web@4', 'moved', { move: false });
  store.edit.tag('web@1', 'moved', { move: true });
  store.edit.describe('web@1', 'what it really is\n\n"…"');
  store.edit.describe('db@1', '');
  store.edit.removeTag('web', 'temporary');
  store.edit.removeSnapshots('web', [4, 2]);
  store.edit.rename('db', 'database');
  store.edit.removeImage('gone');
  return temporary;
}

describe('rebuildCatalog', () => {
  test('brings back names, numbers, messages, tags and what comes next, whatever became of the old catalog', async () => {
    let log = new Uint8Array(0);
    const losses: Record<string, (path: string) => void> = {
      'nothing became of it': () => {},
      'it was deleted': removeCatalog,
      'it was emptied': (path) => fs.truncateSync(join(path, 'catalog.sqlite')),
      'it was overwritten': (path) => fs.writeFileSync(join(path, 'catalog.sqlite'), 'x'.repeat(50_000)),
      'only its log was left': (path) => {
        removeCatalog(path);
        fs.writeFileSync(join(path, 'catalog.sqlite-wal'), log);
      },
    };
    for (const [name, lose] of Object.entries(losses)) {
      await using temporary = await livedInStore();
      // From here on the log holds some pages of the catalog and not others.
      temporary.store.catalog.get('PRAGMA wal_checkpoint(TRUNCATE)');
      await importDisk(temporary.store, 'late', diskOf([7, 8]));
      const before = imagesOf(temporary.store);
      log = fs.readFileSync(join(temporary.path, 'catalog.sqlite-wal'));
      const { report, store } = await rebuilt(temporary.store, lose);
      await using _store = store;
      assert.deepEqual(imagesOf(store), before, name);
      assert.deepEqual([report.imageCount, report.snapshotCount, report.skipped], [4, 5, []], name);
      assert.equal(report.packCount, [...store.packs.list('packs')].length);
      await assertClean(store);
      assert.equal(
        store.edit.repeatNewest('web', note).number,
        5,
        'the number of a removed snapshot is not used again',
      );
      await assertSnapshot(store, 'web@golden', diskOf([1, 9, 1]));
      await assertSnapshot(store, 'database', diskOf([5, 9], 77));
      await collectGarbage(store);
      await assertSnapshot(store, 'clone', diskOf([2, 9, 2]));
    }
  });

  test('keeps the old catalog, and leaves nothing else', async () => {
    await using temporary = await livedInStore();
    const { path } = temporary;
    const { store } = await rebuilt(temporary.store, () => {});
    await store[Symbol.asyncDispose]();
    const there = fs.readdirSync(path).filter((name) => name.startsWith('catalog'));
    assert.deepEqual(there, ['catalog.sqlite', 'catalog.sqlite.old']);
    await rebuildCatalog(path);
    assert.deepEqual(
      fs.readdirSync(path).filter((name) => name.startsWith('catalog')),
      there,
    );
  });

  test('gives the same store after any history', async () => {
    const operation = fc.tuple(
      fc.constantFrom('import', 'repeat', 'clone', 'tag', 'move', 'untag', 'describe', 'rename', 'remove', 'collect'),
      fc.nat(99),
      fc.nat(99),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(operation, { minLength: 5, maxLength: 25 }), async (operations) => {
        await using temporary = await temporaryStore();
        const { edit, images } = temporary.store;
        for (const [index, [kind, a, b]] of operations.entries()) {
          const all = images.all();
          const image = all[a % Math.max(1, all.length)]?.name;
          if (kind === 'import' || image === undefined) {
            await importDisk(temporary.store, `image${index}`, diskOf([a % 5, b % 5]));
            continue;
          }
          const snapshots = images.snapshots(image);
          const snapshot = snapshots[b % snapshots.length]!;
          const reference = `${image}@${snapshot.number}`;
          if (kind === 'repeat') edit.repeatNewest(image, { ...note, time: note.time + index });
          else if (kind === 'clone') {
            edit.createImage(`image${index}`, newSnapshot(sameContentAs(snapshot), { parent: snapshot }));
          } else if (kind === 'tag') edit.tag(reference, `tag${index}`, { move: false });
          else if (kind === 'move') edit.tag(reference, 'moving', { move: true });
          else if (kind === 'untag' && snapshot.tags.length > 0) edit.removeTag(image, snapshot.tags[0]!);
          else if (kind === 'describe') edit.describe(reference, `message ${index}`);
          else if (kind === 'rename') edit.rename(image, `renamed${index}`);
          else if (kind === 'remove' && snapshots.length > 1) edit.removeSnapshots(image, [snapshot.number]);
          else if (kind === 'remove') edit.removeImage(image);
          else if (kind === 'collect') await collectGarbage(temporary.store);
        }
        const before = imagesOf(temporary.store);
        const { report, store } = await rebuilt(temporary.store);
        await using _store = store;
        assert.deepEqual(imagesOf(store), before);
        assert.deepEqual(report.skipped, []);
        await assertClean(store);
      }),
      { numRuns: 10 },
    );
  });

  test('leaves out what is damaged, says so in a line each, and brings back the rest', async () => {
    await using temporary = await livedInStore();
    const { store, path } = temporary;
    await importDisk(store, 'hurt', diskOf([20, 21]));
    const [newest] = store.catalog.all('SELECT name FROM packs ORDER BY id DESC LIMIT 1');
    const lostPack = join(
      path,
      `packs/${hexOf(newest!.name as Uint8Array).slice(0, 2)}`,
      `${hexOf(newest!.name as Uint8Array)}.pack`,
    );
    const clone = store.images.resolve('clone');
    const web = store.images.get('web');
    const result = await rebuilt(store, () => {
      removeCatalog(path);
      fs.truncateSync(lostPack, fs.statSync(lostPack).size - 10);
      fs.appendFileSync(join(path, manifestKey(clone.id)), ' ');
      fs.writeFileSync(join(path, imageRecordKey(web.uuid)), '{}');
      fs.writeFileSync(join(path, 'snapshots/readme.json'), 'hello');
      fs.writeFileSync(join(path, 'packs/stray.pack'), 'hello');
      fs.writeFileSync(join(path, 'images/x.json'), fs.readFileSync(join(path, imageRecordKey(web.uuid))));
    });
    await using again = result.store;
    const { skipped } = result.report;
    assert.equal(skipped.length, 7, skipped.join('\n'));
    for (const line of skipped) assert.match(line, /^[^\n]+$/);
    for (const what of ['footer', 'clone|its content', 'hurt@1: parts', 'images/x.json', 'readme', 'stray', web.uuid]) {
      assert.ok(
        skipped.some((line) => new RegExp(what).test(line)),
        `${what}: ${skipped.join('\n')}`,
      );
    }
    assert.deepEqual(
      again.images.all().map(({ name }) => name),
      ['database', 'web'],
    );
    const { problems } = await verifyStore(again);
    assert.deepEqual(
      problems.map(({ message }) => message.replace(/:.*;/, ':')),
      [`${imageRecordKey(web.uuid)}: varve gc writes it anew`],
    );
    await collectGarbage(again);
    await assertClean(again);
    await assertSnapshot(again, 'web@1', diskOf([1, 9, 1]));
  });

  /** Puts a manifest into a store as a crash may have left it: a file that the catalog never knew. */
  function putManifest(store: Store, reference: string, change: Partial<Manifest>): Manifest {
    const { id } = store.images.resolve(reference);
    const key = manifestKey(id);
    const bytes = new Uint8Array(store.packs.size(key));
    store.packs.read(key, bytes, 0);
    const manifest = { ...decodeManifest(bytes, id, key), ...change };
    const other = encodeManifest(manifest);
    store.packs.createIfAbsent(manifestKey(nameOf(other)), other);
    return manifest;
  }

  test('of two manifests with one number it takes the newer one, which may have been reported', async () => {
    await using temporary = await livedInStore();
    const { time } = temporary.store.images.resolve('web@3');
    putManifest(temporary.store, 'web@3', { time: time - 1000, message: 'never reported' });
    putManifest(temporary.store, 'web@1', { time: time + 1000, message: 'newer' });
    const { report, store } = await rebuilt(temporary.store);
    await using _store = store;
    assert.equal(report.skipped.length, 2);
    assert.equal(store.images.resolve('web@3').message, '');
    assert.equal(store.images.resolve('web@1').time, time + 1000);
    await assertClean(store);
  });

  test('of two images with one name the older one, which may have been removed, gets another', async () => {
    for (const digit of '09af') {
      await using temporary = await livedInStore();
      const { time } = temporary.store.images.resolve('web');
      const uuid = `${digit.repeat(8)}-9dad-41d1-80b4-00c04fd430c8`;
      putManifest(temporary.store, 'web@1', { image: { uuid, name: 'web' }, time: time - 1000 });
      const { report, store } = await rebuilt(temporary.store);
      await using _store = store;
      assert.deepEqual(
        store.images.all().map(({ name }) => name),
        ['clone', 'database', 'web', 'web-2'],
      );
      assert.equal(store.images.get('web-2').uuid, uuid);
      assert.equal(report.skipped.length, 1);
    }
  });

  test('does not take a record for another image than its own, nor tags of snapshots that are gone', async () => {
    await using temporary = await livedInStore();
    const { uuid } = temporary.store.images.get('web');
    const record = { uuid, name: 'stolen', nextNumber: 1, tags: { lost: 2, kept: 3 }, messages: {} };
    const { report, store } = await rebuilt(temporary.store, (path) => {
      fs.writeFileSync(join(path, 'images/6ba7b810-9dad-41d1-80b4-00c04fd430c8.json'), encodeImageRecord(record));
      fs.writeFileSync(join(path, imageRecordKey(uuid)), encodeImageRecord({ ...record, name: 'web' }));
    });
    await using _store = store;
    assert.equal(report.skipped.length, 1);
    assert.equal(store.images.find('stolen'), undefined);
    assert.deepEqual(store.images.resolve('web@3').tags, ['kept']);
    assert.throws(() => store.images.resolve('web@lost'), { code: 'NOT_FOUND' });
    assert.equal(store.edit.repeatNewest('web', note).number, 4, 'numbers go on after the highest there is');
  });

  test('is refused while somebody is at work, where there is no store, and in a newer one', async () => {
    await using temporary = await livedInStore();
    const { store, path } = temporary;
    const before = imagesOf(store);
    {
      await using _device = await store.openSnapshot(store.images.resolve('web'));
      await assert.rejects(rebuildCatalog(path), { code: 'BUSY', message: /read web@3/ });
    }
    assert.deepEqual(imagesOf(store), before);
    await using folder = await temporaryFolder();
    await assert.rejects(rebuildCatalog(folder.path), { name: 'VarveError', code: 'NOT_FOUND' });
    assert.deepEqual(fs.readdirSync(folder.path), []);
    const file = join(path, 'varve-store.json');
    fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"version": 1', '"version": 2'));
    await assert.rejects(rebuildCatalog(path), { name: 'VarveError', code: 'UNSUPPORTED' });
    assert.deepEqual(imagesOf(store), before);
  });

  test('stopped, it leaves the old catalog as it was', async () => {
    await using temporary = await livedInStore();
    const { store, path } = temporary;
    const before = imagesOf(store);
    await assert.rejects(rebuildCatalog(path, { signal: AbortSignal.abort() }), { code: 'ABORTED' });
    assert.deepEqual(imagesOf(store), before);
    assert.deepEqual(
      fs.readdirSync(path).filter((name) => name.includes('.new') || name.includes('.old')),
      [],
    );
  });
});
