import assert from 'node:assert/strict';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import {
  cloneImage,
  collectGarbage,
  compareDisks,
  diffSnapshots,
  exportDisk,
  importDisk,
  isVarveError,
  memoryDevice,
  openDisk,
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
} from '../src/index.ts';

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
