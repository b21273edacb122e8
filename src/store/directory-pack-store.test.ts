import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { temporaryFolder } from '../../test/store/temporary-store.ts';
import { pattern } from '../conformance/device-content.ts';
import { type PackStorePlace, testPackStore } from '../conformance/pack-store.ts';
import { DirectoryPackStore, temporaryPrefix } from './directory-pack-store.ts';
import type { NewObject } from './pack-store.ts';

async function directoryPlace(): Promise<PackStorePlace & { readonly path: string }> {
  const { path, [Symbol.asyncDispose]: dispose } = await temporaryFolder();
  return { path, open: () => new DirectoryPackStore(path), [Symbol.asyncDispose]: dispose };
}

testPackStore('DirectoryPackStore', directoryPlace);

/** Every file below `path`, relative to it. */
function filesIn(path: string): string[] {
  const entries = fs.readdirSync(path, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
}

describe('DirectoryPackStore', () => {
  test('an object grows in tmp/, and nothing is there once it is committed, dropped or refused', async () => {
    await using place = await directoryPlace();
    await using store = new DirectoryPackStore(place.path);
    const temporary = join(place.path, temporaryPrefix);
    const object: NewObject = store.create();
    await object.append([pattern(10, 1)]);
    assert.equal(filesIn(temporary).length, 1);
    await object.commit('packs/aa/1.pack');
    const dropped = store.create();
    await dropped[Symbol.asyncDispose]();
    store.createIfAbsent('snapshots/1.json', pattern(10, 1));
    assert.equal(store.createIfAbsent('snapshots/1.json', pattern(10, 2)), false);
    store.replace('images/1.json', pattern(10, 1));
    assert.deepEqual(filesIn(temporary), []);
  });

  test('what cannot be put in its place leaves nothing, and the error names the key', async () => {
    await using place = await directoryPlace();
    await using store = new DirectoryPackStore(place.path);
    fs.writeFileSync(join(place.path, 'packs'), 'a file where a folder should be');
    await assert.rejects(
      async () => {
        await using object: NewObject = store.create();
        await object.append([pattern(10, 1)]);
        await object.commit('packs/aa/1.pack');
      },
      { name: 'VarveError', message: /packs\/aa\/1\.pack/ },
    );
    assert.throws(() => store.createIfAbsent('packs/1', pattern(1, 1)), { name: 'VarveError' });
    assert.throws(() => store.replace('packs/1', pattern(1, 1)), { name: 'VarveError' });
    assert.deepEqual(filesIn(place.path), [join(place.path, 'packs')]);
  });

  test('closes its files when it is disposed of, and keeps few open before', async () => {
    await using place = await directoryPlace();
    const store = new DirectoryPackStore(place.path);
    fs.mkdirSync(join(place.path, 'packs/00'), { recursive: true });
    for (let index = 0; index < 600; index += 1) fs.writeFileSync(join(place.path, `packs/00/${index}.pack`), 'x');
    const openFiles = () => fs.readdirSync('/proc/self/fd').length;
    const before = openFiles();
    for (let index = 0; index < 600; index += 1) store.read(`packs/00/${index}.pack`, new Uint8Array(1), 0);
    assert.ok(openFiles() - before <= 512, `${openFiles() - before} files are open`);
    await store[Symbol.asyncDispose]();
    assert.equal(openFiles(), before);
  });

  test('makes the folder for temporary files again when a copy of the store has lost it', async () => {
    await using place = await directoryPlace();
    await using store = new DirectoryPackStore(place.path);
    fs.rmSync(join(place.path, temporaryPrefix), { recursive: true, force: true });
    await using object: NewObject = store.create();
    await object.commit('packs/aa/1.pack');
    fs.rmSync(join(place.path, temporaryPrefix), { recursive: true, force: true });
    store.replace('images/1.json', pattern(1, 1));
    assert.equal(store.size('images/1.json'), 1);
  });
});
