import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { noiseDisk } from '../../../test/store/chunky-disk.ts';
import { assertClean, assertSnapshot, importDisk, temporaryStore } from '../../../test/store/temporary-store.ts';
import { contentOf, pattern } from '../../conformance/device-content.ts';
import { collectGarbage } from '../collect-garbage.ts';
import { rebuildCatalog } from '../rebuild-catalog.ts';
import { openStore, type Store } from '../store.ts';
import { verifyStore } from '../verify-store.ts';
import { markPending, pushLayer, recordLayer, type StackOwner, takeWriteLease } from './edit-overlays.ts';
import { openOverlay, overlayPath } from './overlay-files.ts';
import { OverlayStack } from './overlay-stack.ts';
import { storePending } from './store-pending.ts';

const note = { message: 'a snapshot', author: 'test', time: Date.UTC(2026, 0, 1) };

/** A store with `web`, over which changes are made as `bytes` of a pattern at byte 1000 of each layer. */
async function changedStore(): Promise<{ store: Store; path: string; who: StackOwner } & AsyncDisposable> {
  const temporary = await temporaryStore();
  await importDisk(temporary.store, 'web', noiseDisk(4));
  const who = { image: temporary.store.images.get('web').id, owner: '' };
  return { ...temporary, who };
}

async function writeLayer(store: Store, who: StackOwner, seed: number): Promise<string> {
  const { id } = pushLayer(store, who);
  await using stack = await OverlayStack.open(store, store.overlays.stack(who.image));
  await stack.write(pattern(5000, seed), 1000 * seed);
  await stack.flush();
  return id;
}

async function diskOf(store: Store, who: StackOwner): Promise<Uint8Array> {
  await using stack = await OverlayStack.open(store, store.overlays.stack(who.image));
  return await contentOf(stack);
}

describe('overlays in a store', () => {
  test('keep what they lie on, also when its snapshot is removed', async () => {
    await using place = await changedStore();
    const { store, who } = place;
    await importDisk(store, 'web', noiseDisk(4, 2));
    await writeLayer(store, who, 1);
    const disk = await diskOf(store, who);
    store.edit.removeSnapshots('web', [2]);
    await collectGarbage(store);
    assert.deepEqual(await diskOf(store, who), disk);
    markPending(store, store.overlays.stack(who.image)[0]!.id, note);
    await storePending(store, who);
    await assertSnapshot(store, 'web@3', disk);
    await assertClean(store);
  });

  test('are rebuilt with the catalog, those of snapshots that are being stored too', async () => {
    await using place = await changedStore();
    const { store, path, who } = place;
    const first = await writeLayer(store, who, 1);
    const before = await diskOf(store, who);
    markPending(store, first, { ...note, tag: 'one' });
    recordLayer(store, first);
    await writeLayer(store, who, 2);
    const after = await diskOf(store, who);
    const layers = store.overlays.all();
    await store[Symbol.asyncDispose]();
    assert.deepEqual((await rebuildCatalog(path)).skipped, []);
    await using rebuilt = await openStore(path);
    assert.deepEqual(rebuilt.overlays.all(), layers);
    assert.throws(() => rebuilt.images.resolve('web'), { code: 'BUSY', message: /web@2 is being stored/ });
    await storePending(rebuilt, who);
    await assertSnapshot(rebuilt, 'web@one', before);
    assert.deepEqual(await diskOf(rebuilt, who), after);
    await collectGarbage(rebuilt);
    assert.deepEqual((await assertClean(rebuilt)).leftovers, []);
  });

  test('are rebuilt without layers that were stored, whose files a crash has left', async () => {
    await using place = await changedStore();
    const { store, path, who } = place;
    const first = await writeLayer(store, who, 1);
    const second = await writeLayer(store, who, 2);
    markPending(store, first, note);
    recordLayer(store, first);
    const copy = join(path, '..', 'copy');
    fs.cpSync(overlayPath(path, first), copy, { recursive: true });
    await storePending(store, who);
    const disk = await diskOf(store, who);
    fs.cpSync(copy, overlayPath(path, first), { recursive: true });
    assert.deepEqual((await verifyStore(store)).leftovers, [`overlays/${first}`]);
    await store[Symbol.asyncDispose]();
    await rebuildCatalog(path);
    await using rebuilt = await openStore(path);
    assert.deepEqual(
      rebuilt.overlays.all().map(({ id }) => id),
      [second],
    );
    assert.deepEqual(await diskOf(rebuilt, who), disk);
    await collectGarbage(rebuilt);
    assert.deepEqual((await assertClean(rebuilt)).leftovers, []);
  });

  test('that are damaged or gone are named', async () => {
    await using place = await changedStore();
    const { store, path, who } = place;
    const id = await writeLayer(store, who, 1);
    fs.writeFileSync(join(overlayPath(path, id), 'overlay.json'), 'rubbish');
    assert.match(
      (await verifyStore(store)).problems[0]!.message,
      /overlay.json: it is no JSON; varve gc writes it anew/,
    );
    await collectGarbage(store);
    await assertClean(store);
    fs.truncateSync(join(overlayPath(path, id), 'map'), 100);
    const [problem] = (await verifyStore(store)).problems;
    assert.match(problem!.message, /too short for a map; these were changes to web that are in no snapshot/);
    fs.rmSync(overlayPath(path, id), { recursive: true });
    assert.equal((await verifyStore(store)).problems.length, 2);
    await assert.rejects(openOverlay(path, id), { code: 'NOT_FOUND' });
  });

  test('of a dead process are taken over, of a living one not', async () => {
    await using place = await changedStore();
    const { store, path, who } = place;
    const socket = join(path, '..', 'old.sock');
    const writer = { ...who, purpose: 'serve web', socket };
    fs.writeFileSync(socket, '');
    const lease = takeWriteLease(store, writer);
    assert.throws(() => takeWriteLease(store, writer), { code: 'BUSY', message: /web is in use: serve web/ });
    store.catalog.run('UPDATE leases SET start_time = 1 WHERE id = ?', lease);
    takeWriteLease(store, { ...who, purpose: 'another' });
    assert.equal(fs.existsSync(socket), false, 'its socket goes with it');
    assert.equal(store.leases.living('write').length, 1);
  });
});
