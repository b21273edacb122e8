import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  cloneImage,
  collectGarbage,
  compareDisks,
  diffGuests,
  diffSnapshots,
  exportDisk,
  importDisk,
  inspectGuest,
  isVarveError,
  memoryDevice,
  openDisk,
  openDiskGuest,
  openStore,
  overlayFilter,
  pruneImage,
  readOnlyFilter,
  referenceOf,
  removeFromStore,
  restoreSnapshot,
  sameContent,
  sliceFilter,
  snapshotImage,
  verifyStore,
  walkGuest,
} from '../src/index.ts';
import { skipWithout } from './interop/require-tool.ts';

const mebibyte = 1024 * 1024;

test('the library does the main job: import, clone, next version, diff, restore, export', async (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'disk.raw');
  const disk = Buffer.alloc(4 * mebibyte);
  disk.fill('first version', mebibyte, 2 * mebibyte);
  fs.writeFileSync(path, disk);

  await using store = await openStore(join(directory, 'store'), { create: true });
  const first = await importDisk(store, path, { name: 'web', message: 'As delivered', author: 'me', time: 1 });
  assert.deepEqual(
    [referenceOf(first.snapshot), first.snapshot.message, first.snapshot.time],
    ['web@1', 'As delivered', 1],
  );

  const clone = cloneImage(store, 'web', 'test');
  assert.ok(sameContent(clone, first.snapshot));

  disk.fill('second version', 3 * mebibyte, 3 * mebibyte + 1000);
  fs.writeFileSync(path, disk);
  const second = await importDisk(store, path, { name: 'web', update: true });
  assert.equal(second.snapshot.number, 2);
  const changed = await Array.fromAsync(diffSnapshots(store, clone, second.snapshot));
  assert.deepEqual(changed, [{ offset: 3 * mebibyte, length: 65536 }]);

  const restored = restoreSnapshot(store, 'web@1', { message: 'Back again' });
  assert.ok(restored.changed && sameContent(restored.snapshot, clone));
  assert.equal((await snapshotImage(store, 'web', { tag: 'stable' })).tags[0], 'stable');

  await using web = await openDisk('web@2', { store });
  await exportDisk(web, join(directory, 'out.qcow2'));
  await using out = await openDisk(join(directory, 'out.qcow2'));
  assert.equal((await compareDisks(web, out)).identical, true);
  const text = new Uint8Array(14);
  await using end = sliceFilter(readOnlyFilter(out.device), { offset: 3 * mebibyte });
  await end.read(text, 0);
  assert.equal(Buffer.from(text).toString(), 'second version');

  const verdicts = pruneImage(store, 'web', { last: 1 });
  assert.deepEqual(
    verdicts.map(({ snapshot, reasons }) => [snapshot.number, reasons]),
    [
      [4, ['newest', 'last', 'tag stable']],
      [3, []],
      [2, []],
      [1, []],
    ],
  );
  removeFromStore(store, ['test']);
  await collectGarbage(store);
  // An open disk stays readable, whatever is removed.
  await web.device.read(text, 3 * mebibyte);
  assert.equal(Buffer.from(text).toString(), 'second version');
  assert.deepEqual((await verifyStore(store)).problems, []);
});

test('a snapshot is read-only, and an overlay over it takes what is written', async (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  fs.writeFileSync(join(directory, 'disk.raw'), Buffer.alloc(mebibyte, 7));
  await using store = await openStore(join(directory, 'store'), { create: true });
  await importDisk(store, join(directory, 'disk.raw'), { name: 'web' });
  await using disk = await openDisk('web', { store });
  const bytes = new Uint8Array(2);
  await assert.rejects(
    async () => disk.device.write(bytes, 0),
    (error) => isVarveError(error, 'READ_ONLY'),
  );
  await using overlay = overlayFilter(disk.device, memoryDevice(disk.device.size));
  await overlay.write(new Uint8Array([1]), 1);
  await overlay.read(bytes, 0);
  assert.deepEqual([...bytes], [7, 1]);
  await disk.device.read(bytes, 0);
  assert.deepEqual([...bytes], [7, 7]);
});

test('the files of a disk are read, and compared', { skip: skipWithout('mke2fs') }, async (t) => {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  const path = join(directory, 'disk.raw');
  const etc = join(directory, 'root', 'etc');
  fs.mkdirSync(etc, { recursive: true });
  await using store = await openStore(join(directory, 'store'), { create: true });
  for (const name of ['first', 'second']) {
    fs.writeFileSync(join(etc, 'hostname'), `${name}\n`);
    fs.rmSync(path, { force: true });
    execFileSync('mke2fs', ['-q', '-t', 'ext4', '-d', join(directory, 'root'), path, '8M']);
    await importDisk(store, path, { name: 'web', update: name === 'second' });
  }

  await using stack = new AsyncDisposableStack();
  const before = stack.use(await openDiskGuest('web@1', { store }));
  const after = stack.use(await openDiskGuest('web', { store }));
  const paths: string[] = [];
  for await (const { entry } of walkGuest(after.tree, await after.tree.resolve('/etc'))) paths.push(entry.path);
  assert.deepEqual(paths, ['/etc', '/etc/hostname']);
  assert.equal((await inspectGuest(after)).hostname?.value, 'second');
  const sides = [
    { label: 'web@1', guest: before },
    { label: 'web', guest: after },
  ] as const;
  const { changes } = await diffGuests(...sides, stack);
  assert.deepEqual(
    changes.map(({ kind, path: file, differences }) => [kind, file, differences]),
    [['modified', '/etc/hostname', ['content']]],
  );
});
