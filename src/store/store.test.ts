import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { diskOf } from '../../test/store/chunky-disk.ts';
import { runModule, runTogether } from '../../test/store/run-module.ts';
import {
  assertClean,
  assertSnapshot,
  importDisk,
  newSnapshot,
  temporaryFolder,
  temporaryStore,
} from '../../test/store/temporary-store.ts';
import { openStore } from './store.ts';

const note = { message: '', author: 'test', time: 0 };

describe('openStore', () => {
  test('makes a store where there is none, in a folder that need not be there, and finds it again', async () => {
    await using folder = await temporaryFolder();
    const path = join(folder.path, 'a/b/store');
    {
      await using store = await openStore(path, { create: true });
      await importDisk(store, 'web', diskOf([1]));
    }
    await using again = await openStore(path, { create: true });
    await assertSnapshot(again, 'web', diskOf([1]));
    const description = JSON.parse(fs.readFileSync(join(path, 'varve-store.json'), 'utf8'));
    assert.deepEqual(
      { ...description, uuid: '', created: '' },
      { varve: 'store', version: 1, chunk_size: 65_536, hash: 'blake3-256', uuid: '', created: '' },
    );
  });

  test('makes none where it is not told to', async () => {
    await using folder = await temporaryFolder();
    await assert.rejects(openStore(folder.path), { name: 'VarveError', code: 'NOT_FOUND' });
    await assert.rejects(openStore(join(folder.path, 'x')), { name: 'VarveError', code: 'NOT_FOUND' });
    assert.deepEqual(fs.readdirSync(folder.path), []);
  });

  test('makes none among other people’s files, but may have a file system for itself', async () => {
    await using folder = await temporaryFolder();
    fs.mkdirSync(join(folder.path, 'lost+found'));
    fs.writeFileSync(join(folder.path, 'thesis.txt'), 'x');
    await assert.rejects(openStore(folder.path, { create: true }), { code: 'INVALID', message: /thesis\.txt/ });
    assert.deepEqual(fs.readdirSync(folder.path).sort(), ['lost+found', 'thesis.txt']);
    fs.rmSync(join(folder.path, 'thesis.txt'));
    await using store = await openStore(folder.path, { create: true });
    await assertClean(store);
  });

  test('makes one store when several processes make it at the same moment, and each can use it', async () => {
    await using folder = await temporaryFolder();
    const source = `
      const { openStore } = await import('../../src/store/store.ts');
      const { importDisk } = await import('../store/temporary-store.ts');
      const { diskOf } = await import('../store/chunky-disk.ts');
      const [, path, name] = process.argv;
      const moment = await start();
      for (let turn = 0; turn < 5; turn += 1) {
        waitUntil(moment + turn * 100);
        await using store = await openStore(path + turn, { create: true });
        await importDisk(store, name, diskOf([1, 2]));
      }
    `;
    const path = join(folder.path, 'store');
    const names = ['a', 'b', 'c', 'd'];
    const results = await runTogether(
      source,
      names.map((name) => [path, name]),
    );
    assert.deepEqual(
      results.map(({ status }) => status),
      [0, 0, 0, 0],
    );
    for (let turn = 0; turn < 5; turn += 1) {
      await using store = await openStore(path + turn);
      assert.deepEqual(
        store.images.all().map(({ name }) => name),
        names,
      );
      await assertClean(store);
    }
  });

  test('goes on where a process that made the store was killed', async () => {
    const stages: Record<string, (path: string) => void> = {
      folders: (path) => fs.mkdirSync(join(path, 'packs'), { recursive: true }),
      'an empty catalog': (path) => {
        fs.mkdirSync(path, { recursive: true });
        fs.writeFileSync(join(path, 'catalog.sqlite'), '');
      },
      'all but the description': () => {},
    };
    for (const [name, prepare] of Object.entries(stages)) {
      await using folder = await temporaryFolder();
      const path = join(folder.path, 'store');
      if (name.startsWith('all')) {
        await (await openStore(path, { create: true }))[Symbol.asyncDispose]();
        fs.rmSync(join(path, 'varve-store.json'));
        fs.writeFileSync(join(path, 'tmp/1-2'), 'half a description');
      }
      prepare(path);
      await using store = await openStore(path, { create: true });
      await importDisk(store, 'web', diskOf([1]));
      await assertClean(store);
    }
  });

  test('refuses a store of a newer version, of other chunks or another hash, and one that is none', async () => {
    await using temporary = await temporaryStore();
    const { path } = temporary;
    const file = join(path, 'varve-store.json');
    const original = fs.readFileSync(file, 'utf8');
    const cases: readonly (readonly [string, string])[] = [
      [original.replace('"version": 1', '"version": 2'), 'UNSUPPORTED'],
      [original.replace('"version": 1', '"version": "1"'), 'UNSUPPORTED'],
      [original.replace('65536', '4096'), 'UNSUPPORTED'],
      [original.replace('blake3-256', 'sha-256'), 'UNSUPPORTED'],
      [original.slice(0, 30), 'CORRUPT'],
      ['', 'CORRUPT'],
      ['null', 'CORRUPT'],
      ['[]', 'CORRUPT'],
      ['{"varve":"image","version":1}', 'CORRUPT'],
    ];
    for (const [text, code] of cases) {
      fs.writeFileSync(file, text);
      for (const create of [false, true]) {
        await assert.rejects(openStore(path, { create }), { name: 'VarveError', code, message: /^[^\n]+$/ }, text);
      }
    }
  });

  test('that lost its catalog is CORRUPT and says how to get it back', async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    await store[Symbol.asyncDispose]();
    fs.rmSync(join(path, 'catalog.sqlite'));
    await assert.rejects(openStore(path), { code: 'CORRUPT', message: /verify --rebuild/ });
    await assert.rejects(openStore(path, { create: true }), { code: 'CORRUPT', message: /verify --rebuild/ });
    assert.equal(fs.existsSync(join(path, 'catalog.sqlite')), false);
  });

  test('where a path is a file, or leads through one, is an error in one line', async () => {
    await using folder = await temporaryFolder();
    const file = join(folder.path, 'file');
    fs.writeFileSync(file, 'x');
    for (const path of [file, join(file, 'store')]) {
      await assert.rejects(openStore(path, { create: true }), { name: 'VarveError', message: /^cannot [^\n]+$/ });
      await assert.rejects(openStore(path), { name: 'VarveError', code: 'NOT_FOUND' });
    }
  });
});

describe('Store', () => {
  test('finds what changed between two snapshots', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const a = await importDisk(store, 'web', diskOf([1, 2, 3, 4, 5]));
    const b = await importDisk(store, 'web', diskOf([1, 7, 8, 4, 0, 6], 10));
    const runs = await Array.fromAsync(store.changes(a, b));
    assert.deepEqual(runs, [
      { chunkIndex: 1, chunkCount: 2 },
      { chunkIndex: 4, chunkCount: 3 },
    ]);
    assert.deepEqual(store.leases.living(), []);
  });

  test('holds what is compared until the comparison ends, however it ends', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const a = await importDisk(store, 'web', diskOf([1, 2, 3]));
    const b = await importDisk(store, 'web', diskOf([4, 2, 5]));
    for await (const _run of store.changes(a, b)) {
      assert.equal(store.leases.living('read').length, 2);
      break;
    }
    assert.deepEqual(store.leases.living(), []);
  });

  test('a device that outlives its store does not fail when it is disposed of', async () => {
    await using temporary = await temporaryStore();
    const device = await temporary.store.openSnapshot(await importDisk(temporary.store, 'web', diskOf([1])));
    await temporary.store[Symbol.asyncDispose]();
    await device[Symbol.asyncDispose]();
  });
});

describe('a store in a directory that cannot be written to', () => {
  const skip = process.getuid?.() === 0 ? false : 'becoming another user needs root';

  for (const isLogged of [false, true]) {
    const state = isLogged ? 'while its owner has it open' : 'that nobody has open';
    test(`can be read, ${state}, and refuses every change in one line`, { skip }, async () => {
      await using temporary = await temporaryStore();
      const { store, path } = temporary;
      const content = diskOf([1, 2, 0, 3], 5);
      await importDisk(store, 'web', content);
      await importDisk(store, 'web', diskOf([4]));
      store.edit.createImage(
        'clone',
        newSnapshot({ ...store.images.resolve('web@1'), root: store.images.resolve('web@1').root }),
      );
      fs.chmodSync(join(path, '..'), 0o755);
      if (!isLogged) await store[Symbol.asyncDispose]();
      const source = `
        const { openStore } = await import('../../src/store/store.ts');
        const { readSnapshot } = await import('../store/temporary-store.ts');
        const { verifyStore } = await import('../../src/store/verify-store.ts');
        const { collectGarbage } = await import('../../src/store/collect-garbage.ts');
        const { rebuildCatalog } = await import('../../src/store/rebuild-catalog.ts');
        const { hexOf } = await import('../../src/store/chunk.ts');
        const { nameOf } = await import('../../src/store/hash.ts');
        const [, path] = process.argv;
        await using store = await openStore(path, { create: true });
        const said = [store.readOnly, hexOf(nameOf(await readSnapshot(store, 'web@1')))];
        said.push((await verifyStore(store)).problems.length);
        const note = ${JSON.stringify(note)};
        const changes = [
          () => store.beginIngest('import web'),
          () => store.edit.repeatNewest('web', note),
          () => store.edit.rename('web', 'web2'),
          () => store.edit.tag('web', 'x', { move: false }),
          () => store.edit.describe('web@1', 'x'),
          () => store.edit.removeSnapshots('web', [1]),
          () => store.edit.removeImage('web'),
          () => collectGarbage(store),
          () => rebuildCatalog(path),
          async () => (await store.openSnapshot(store.images.resolve('web'))).write(new Uint8Array(1), 0),
        ];
        for (const change of changes) {
          try {
            await change();
            said.push('done');
          } catch (error) {
            said.push(/^[^\\n]+$/.test(error.message) ? error.code : error.message);
          }
        }
        console.log(JSON.stringify(said));
      `;
      const { hexOf } = await import('./chunk.ts');
      const { nameOf } = await import('./hash.ts');
      const before = fs.readdirSync(path, { recursive: true });
      const { status, output } = await runModule(source, [path], { uid: 65_534 });
      assert.equal(status, 0);
      const said = JSON.parse(output) as unknown[];
      assert.deepEqual(said.slice(0, 3), [true, hexOf(nameOf(content)), 0]);
      const codes = said.slice(3);
      assert.deepEqual(codes.slice(0, 8), Array(8).fill('READ_ONLY'));
      assert.ok(['PERMISSION', 'READ_ONLY'].includes(String(codes[8])), `rebuilding: ${codes[8]}`);
      assert.equal(codes[9], 'READ_ONLY');
      assert.deepEqual(fs.readdirSync(path, { recursive: true }), before);
      if (isLogged) assert.equal(store.images.snapshots('web').length, 2);
    });
  }

  test('is no empty place to who may not look into it', { skip }, async () => {
    await using temporary = await temporaryStore();
    const source = `
      const { openStore } = await import('../../src/store/store.ts');
      for (const create of [false, true]) {
        await openStore(process.argv[1], { create }).catch((error) => console.log(error.code, error.message));
      }
    `;
    fs.chmodSync(join(temporary.path, '..'), 0o700);
    const { output } = await runModule(source, [temporary.path], { uid: 65_534 });
    assert.match(output, /^(PERMISSION cannot open the store [^\n]+: permission denied\n){2}$/);
  });

  test('cannot be made there', { skip }, async () => {
    await using folder = await temporaryFolder();
    fs.chmodSync(folder.path, 0o755);
    const source = `
      const { openStore } = await import('../../src/store/store.ts');
      await openStore(process.argv[1], { create: true }).catch((error) => console.log(error.code, error.message));
    `;
    const { output } = await runModule(source, [join(folder.path, 'store')], { uid: 65_534 });
    assert.match(output, /^PERMISSION cannot make a store in [^\n]+\n$/);
    assert.deepEqual(fs.readdirSync(folder.path), []);
  });
});
