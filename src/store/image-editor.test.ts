import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { runTogether } from '../../test/store/run-module.ts';
import { assertClean, importDisk, ingest, newSnapshot, temporaryStore } from '../../test/store/temporary-store.ts';
import { pattern } from '../conformance/device-content.ts';
import { hexOf } from './chunk.ts';
import { collectGarbage } from './collect-garbage.ts';
import { sameContentAs } from './image-editor.ts';
import { referenceOf } from './image-table.ts';
import type { Store } from './store.ts';

const note = { message: 'again', author: 'test', time: Date.UTC(2026, 1, 1) };

/** Everything that the store says of its images, and its files of them, for "nothing was touched". */
function stateOf(store: Store): unknown {
  const tables = ['images', 'snapshots', 'tags'].map((table) => store.catalog.all(`SELECT * FROM ${table}`));
  const files = ['snapshots', 'images', 'tmp'].map((folder) => {
    const path = join(store.path, folder);
    const names = fs.readdirSync(path).sort();
    return names.map((name) => [name, folder === 'images' ? fs.readFileSync(join(path, name), 'utf8') : '']);
  });
  return { tables, files };
}

/** A store with the image `web` of three snapshots, the first tagged `golden`, and the image `other`. */
async function filledStore() {
  const temporary = await temporaryStore();
  const { store } = temporary;
  for (const seed of [1, 2, 3]) await importDisk(store, 'web', pattern(100_000, seed));
  store.edit.tag('web@1', 'golden', { move: false });
  await importDisk(store, 'other', pattern(100_000, 3));
  return temporary;
}

/** Checks that `action` fails so, and that it touched nothing. */
function refuses(store: Store, code: string, action: () => unknown): void {
  const before = stateOf(store);
  assert.throws(action, { name: 'VarveError', code, message: /^[^\n]+$/ });
  assert.deepEqual(stateOf(store), before);
}

function numbersOf(store: Store, name = 'web'): number[] {
  return store.images.snapshots(name).map(({ number }) => number);
}

describe('ImageEditor', () => {
  test('refuses names that are taken or cannot be names, and touches nothing', async () => {
    await using temporary = await filledStore();
    const { store } = temporary;
    const { edit } = store;
    const snapshot = newSnapshot(sameContentAs(store.images.resolve('web@1')));
    refuses(store, 'EXISTS', () => edit.createImage('web', snapshot));
    refuses(store, 'EXISTS', () => edit.rename('other', 'web'));
    refuses(store, 'EXISTS', () => edit.tag('web@2', 'golden', { move: false }));
    for (const name of ['', '..', 'a/b', '../../x', '.x', 'a@b', 'x'.repeat(200)]) {
      refuses(store, 'INVALID', () => edit.createImage(name, snapshot));
      refuses(store, 'INVALID', () => edit.rename('web', name));
      refuses(store, 'INVALID', () => edit.tag('web@1', name, { move: true }));
    }
    refuses(store, 'INVALID', () => edit.tag('web@1', '7', { move: true }));
  });

  test('refuses what is not there, and touches nothing', async () => {
    await using temporary = await filledStore();
    const { store } = temporary;
    const { edit } = store;
    const snapshot = newSnapshot(sameContentAs(store.images.resolve('web@1')));
    const missing: (() => unknown)[] = [
      () => edit.addSnapshot('nobody', snapshot),
      () => edit.repeatNewest('nobody', note),
      () => edit.rename('nobody', 'somebody'),
      () => edit.tag('nobody', 'x', { move: false }),
      () => edit.tag('web@9', 'x', { move: true }),
      () => edit.tag('web@nothing', 'x', { move: true }),
      () => edit.tag('web@{0000}', 'x', { move: true }),
      () => edit.removeTag('nobody', 'golden'),
      () => edit.removeTag('other', 'golden'),
      () => edit.describe('nobody@1', 'x'),
      () => edit.describe('web@4', 'x'),
      () => edit.removeSnapshots('nobody', [1]),
      () => edit.removeSnapshots('web', [1, 4]),
      () => edit.removeImage('nobody'),
      () => edit.removeImage('web@1'),
    ];
    for (const action of missing) refuses(store, 'NOT_FOUND', action);
  });

  test('refuses to remove the last snapshots, and numbers that are none', async () => {
    await using temporary = await filledStore();
    const { store } = temporary;
    refuses(store, 'INVALID', () => store.edit.removeSnapshots('web', [1, 2, 3]));
    refuses(store, 'INVALID', () => store.edit.removeSnapshots('other', [1]));
    refuses(store, 'INVALID', () => store.edit.removeSnapshots('web', [0]));
    store.edit.removeSnapshots('web', [2, 2, 1, 2]);
    assert.deepEqual(numbersOf(store), [3]);
  });

  test('an update of what changed meanwhile is a CONFLICT that names the newest', async () => {
    await using temporary = await filledStore();
    const { store } = temporary;
    const seen = store.images.resolve('web');
    store.edit.repeatNewest('web', note);
    const before = stateOf(store);
    assert.throws(() => store.edit.addSnapshot('web', newSnapshot(sameContentAs(seen), { parent: seen }), seen), {
      code: 'CONFLICT',
      message: /web@4/,
    });
    assert.deepEqual(stateOf(store), before);
    const newest = store.images.resolve('web');
    store.edit.addSnapshot('web', newSnapshot(sameContentAs(seen), { parent: newest }), newest);
    assert.deepEqual(numbersOf(store), [1, 2, 3, 4, 5]);
  });

  test('a clone of what was removed meanwhile is refused, for its content may be gone', async () => {
    await using temporary = await filledStore();
    const { store } = temporary;
    const parent = store.images.resolve('web@2');
    store.edit.removeSnapshots('web', [2]);
    refuses(store, 'NOT_FOUND', () => store.edit.createImage('clone', newSnapshot(sameContentAs(parent), { parent })));
    refuses(store, 'NOT_FOUND', () => store.edit.addSnapshot('web', newSnapshot(sameContentAs(parent), { parent })));
  });

  test('a content that garbage collection took cannot become a snapshot', async () => {
    await using temporary = await filledStore();
    const { store } = temporary;
    const content = await ingest(store, pattern(100_000, 9));
    await collectGarbage(store);
    refuses(store, 'NOT_FOUND', () => store.edit.createImage('late', newSnapshot(content)));
    await assertClean(store);
  });

  test('numbers are never used again', async () => {
    await using temporary = await filledStore();
    const { store } = temporary;
    store.edit.removeSnapshots('web', [3]);
    assert.equal(store.edit.repeatNewest('web', note).number, 4);
    store.edit.removeSnapshots('web', [4, 1]);
    assert.equal(store.edit.repeatNewest('web', note).number, 5);
    assert.deepEqual(numbersOf(store), [2, 5]);
    assert.deepEqual(hexOf(store.images.resolve('web').parent!), hexOf(store.images.resolve('web@2').id));
  });

  test('tags follow their snapshot: moved, removed with it, and shown with it', async () => {
    await using temporary = await filledStore();
    const { store } = temporary;
    store.edit.tag('web@golden', 'first', { move: false });
    assert.deepEqual(store.images.resolve('web@1').tags, ['first', 'golden']);
    assert.equal(store.edit.tag('web', 'golden', { move: true }).number, 3);
    assert.equal(store.images.resolve('web@golden').number, 3);
    assert.deepEqual(store.images.resolve('web@1').tags, ['first']);
    store.edit.removeTag('web', 'first');
    assert.throws(() => store.images.resolve('web@first'), { code: 'NOT_FOUND' });
    store.edit.removeSnapshots('web', [3]);
    assert.throws(() => store.images.resolve('web@golden'), { code: 'NOT_FOUND' });
    store.edit.tag('web@1', 'golden', { move: false });
    store.edit.tag('other', 'golden', { move: false });
    assert.equal(referenceOf(store.images.resolve('web@golden')), 'web@1');
  });

  test('rename, describe and remove do what they say, and leave no file behind', async () => {
    await using temporary = await filledStore();
    const { store, path } = temporary;
    store.edit.rename('web', 'e\u0301tat');
    assert.equal(store.images.resolve('\u00e9tat@golden').image, '\u00e9tat');
    assert.equal(store.images.get('e\u0301tat').snapshotCount, 3);
    const message = 'several\nlines, ',
      long = `${message}${'x'.repeat(100_000)}\0é\u202e`;
    store.edit.describe('\u00e9tat@2', long);
    assert.equal(store.images.resolve('\u00e9tat@2').message, long);
    store.edit.removeImage('e\u0301tat');
    store.edit.removeImage('other');
    assert.deepEqual(store.images.all(), []);
    assert.deepEqual(stateOf(store), { tables: [[], [], []], files: [[], [], []] });
    await collectGarbage(store);
    assert.deepEqual(
      fs.readdirSync(join(path, 'packs'), { recursive: true }).filter((name) => `${name}`.endsWith('.pack')),
      [],
    );
  });

  test('a change whose file cannot be written is not made', async () => {
    await using temporary = await filledStore();
    const { store, path } = temporary;
    const changes: Record<string, (() => unknown)[]> = {
      snapshots: [
        () => store.edit.repeatNewest('web', note),
        () => store.edit.createImage('clone', newSnapshot(sameContentAs(store.images.resolve('web')))),
      ],
      images: [
        () => store.edit.rename('web', 'web2'),
        () => store.edit.tag('web@2', 'x', { move: false }),
        () => store.edit.tag('web@2', 'golden', { move: true }),
        () => store.edit.removeTag('web', 'golden'),
        () => store.edit.describe('web@1', 'x'),
        () => store.edit.removeSnapshots('web', [1]),
      ],
    };
    for (const [folder, actions] of Object.entries(changes)) {
      const before = stateOf(store);
      fs.renameSync(join(path, folder), join(path, `${folder}.away`));
      fs.writeFileSync(join(path, folder), 'in the way');
      for (const action of actions) assert.throws(action, { name: 'VarveError' });
      fs.rmSync(join(path, folder));
      fs.renameSync(join(path, `${folder}.away`), join(path, folder));
      assert.deepEqual(stateOf(store), before);
    }
    await assertClean(store);
  });

  test('a prefix of an id names a snapshot while it is the only one', async () => {
    await using temporary = await filledStore();
    const { store } = temporary;
    for (let turn = 0; turn < 60; turn += 1) store.edit.repeatNewest('web', { ...note, time: turn });
    const snapshots = store.images.snapshots('web');
    for (const { id, number } of snapshots) {
      for (const length of [64, 63, 20, 9]) {
        assert.equal(store.images.resolve(`web@{${hexOf(id).slice(0, length)}}`).number, number);
      }
      assert.throws(() => store.images.resolve(`other@{${hexOf(id)}}`), { code: 'NOT_FOUND' });
    }
    const [first] = snapshots;
    const { id } = first!;
    const twin = Uint8Array.from(id);
    twin[31]! ^= 1;
    store.catalog.write(() => store.catalog.run('UPDATE snapshots SET id = ? WHERE number = 2', twin));
    assert.throws(() => store.images.resolve(`web@{${hexOf(id).slice(0, 60)}}`), {
      code: 'INVALID',
      message: /more digits/,
    });
    assert.equal(store.images.resolve(`web@{${hexOf(id)}}`).number, 1);
  });

  test('eight processes that snapshot at once make eight snapshots with consecutive numbers', async () => {
    await using temporary = await filledStore();
    const { store, path } = temporary;
    const source = `
      const { openStore } = await import('../../src/store/store.ts');
      await using store = await openStore(process.argv[1]);
      await start();
      console.log(store.edit.repeatNewest('web', { message: '', author: '', time: 0 }).number);
    `;
    const results = await runTogether(source, Array(8).fill([path]));
    const numbers = results.map(({ output }) => Number(output)).sort((a, b) => a - b);
    assert.deepEqual(numbers, [4, 5, 6, 7, 8, 9, 10, 11]);
    assert.equal(new Set(store.images.snapshots('web').map(({ id }) => hexOf(id))).size, 11);
    await assertClean(store);
  });
});
