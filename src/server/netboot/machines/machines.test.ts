import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { noiseDisk } from '../../../../test/store/chunky-disk.ts';
import { assertClean, assertSnapshot, importDisk, temporaryStore } from '../../../../test/store/temporary-store.ts';
import { isVarveError } from '../../../base/varve-error.ts';
import { assertEqualBytes, contentOf, pattern } from '../../../conformance/device-content.ts';
import { cloneImage } from '../../../image/clone-image.ts';
import { pruneImage } from '../../../image/prune-image.ts';
import { removeFromStore } from '../../../image/remove-from-store.ts';
import { hexOf } from '../../../store/chunk.ts';
import { collectGarbage } from '../../../store/collect-garbage.ts';
import { rebuildCatalog } from '../../../store/rebuild-catalog.ts';
import { openStore, type Store } from '../../../store/store.ts';
import { ControlServer } from '../../control/control-server.ts';
import type { NbdExport } from '../../nbd/nbd-export.ts';
import type { BeginOptions, MachineEvent } from './machine-types.ts';
import { Machines } from './machines.ts';

const [alice, bob] = ['52-54-00-00-00-01', '52-54-00-00-00-02'] as const;

/** A store with the image `web` of ten chunks, what it holds, and its machines as a server has them, or as a command does. */
async function room(how: 'server' | 'command' = 'command') {
  await using stack = new AsyncDisposableStack();
  const temporary = await temporaryStore();
  stack.use(temporary);
  const { store } = temporary;
  const content = new Uint8Array(noiseDisk(10));
  await importDisk(store, 'web', content);
  const control = how === 'server' ? stack.use(await ControlServer.listen()) : undefined;
  const events: MachineEvent[] = [];
  const machines = stack.use(await Machines.open(store, control, { onEvent: (event) => events.push(event) }));
  const owned = stack.move();
  return { store, content, machines, events, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

const discard = (mac: string, image = 'web'): BeginOptions => ({ mac, entry: 'web', image, overlay: 'discard' });
const keep = (mac: string, image = 'web'): BeginOptions => ({ ...discard(mac, image), overlay: 'keep' });

async function connect(machines: Machines, name: string): Promise<NbdExport & Partial<AsyncDisposable>> {
  const entry = await machines.exports.find(name);
  assert.ok(entry, `there is an export ${name}`);
  return await entry.connect();
}

async function withDisk<T>(machines: Machines, name: string, use: (disk: NbdExport) => Promise<T>): Promise<T> {
  const disk = await connect(machines, name);
  try {
    return await use(disk);
  } finally {
    await disk[Symbol.asyncDispose]?.();
  }
}

async function write(machines: Machines, name: string, seed: number, offset = 70_000): Promise<void> {
  await withDisk(machines, name, async ({ device }) => {
    await device.write(pattern(10_000, seed), offset);
    await device.flush();
  });
}

async function assertDisk(machines: Machines, name: string, expected: Uint8Array): Promise<void> {
  await withDisk(machines, name, async ({ device }) => {
    assertEqualBytes(await contentOf(device), expected, `the disk of ${name}`);
  });
}

function changed(content: Uint8Array, seed: number, offset = 70_000): Uint8Array {
  const copy = content.slice();
  copy.set(pattern(10_000, seed), offset);
  return copy;
}

function failsWith(code: string, message: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(isVarveError(error), String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, message);
    return true;
  };
}

for (const how of ['server', 'command'] as const) {
  describe(`machines of a ${how}`, () => {
    test('each write to an overlay of their own, which is dropped at the next boot, or kept', async () => {
      await using place = await room(how);
      const { content, machines, store } = place;
      const root = hexOf(store.images.resolve('web').root);
      const boot = await machines.begin(discard('52:54:00:00:00:01'));
      assert.equal(boot.exportName, alice);
      assert.equal(boot.reference, 'web@1');
      await machines.begin(keep('525400000002'));
      await write(machines, alice, 1);
      await write(machines, bob, 2);
      await assertDisk(machines, alice, changed(content, 1));
      await assertDisk(machines, bob, changed(content, 2));
      assert.equal((await machines.begin(discard(alice))).isKept, false);
      assert.equal((await machines.begin(keep(bob))).isKept, true);
      await assertDisk(machines, alice, content);
      await assertDisk(machines, bob, changed(content, 2));
      assert.equal(hexOf(store.images.resolve('web').root), root);
      await assertClean(store);
    });

    test('make a snapshot of what they hold while they run, and others see it at their next boot', async () => {
      await using place = await room(how);
      const { content, machines, store } = place;
      await machines.begin(keep(alice));
      const disk = await connect(machines, alice);
      await disk.device.write(pattern(10_000, 1), 70_000);
      const { snapshot } = await machines.commit({ machine: alice, image: 'web', message: 'nginx' });
      assert.equal(snapshot?.number, 2);
      await disk.device.write(pattern(10_000, 2), 200_000);
      await assertSnapshot(store, 'web@2', changed(content, 1));
      assertEqualBytes(await contentOf(disk.device), changed(changed(content, 1), 2, 200_000), 'the disk');
      await disk[Symbol.asyncDispose]?.();
      assert.equal((await machines.begin(discard(bob))).reference, 'web@2');
      await assertDisk(machines, bob, changed(content, 1));
      // What it runs from is its own snapshot now, so that it can go on.
      const again = await machines.commit({ machine: alice, image: 'web' });
      assert.equal(again.snapshot?.number, 3);
      await assertSnapshot(store, 'web', changed(changed(content, 1), 2, 200_000));
      assert.equal((await machines.commit({ machine: alice, image: 'web' })).snapshot, undefined);
      await assertClean(store);
    });
  });
}

test('a boot that is asked for again before anybody connects is the same boot', async () => {
  await using place = await room();
  const { events, machines, store } = place;
  cloneImage(store, 'web', 'db');
  await machines.setNext(alice, 'db');
  const boots = await Promise.all([machines.begin(discard(alice)), machines.begin(discard(alice))]);
  assert.deepEqual(boots[0], boots[1]);
  assert.equal(boots[0]!.image, 'db');
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['begin'],
  );
  await withDisk(machines, alice, async () => {});
  assert.equal((await machines.begin(discard(alice))).image, 'web');
});

test('a machine keeps the snapshot that it booted from, whatever becomes of the image', async () => {
  await using place = await room();
  const { content, machines, store } = place;
  await machines.begin(keep(alice));
  await write(machines, alice, 1);
  await machines.begin(keep(bob));
  await write(machines, bob, 2);
  await machines.commit({ machine: bob, image: 'web' });
  store.edit.repeatNewest('web', { message: '', author: '', time: Date.now() });
  assert.throws(() => removeFromStore(store, ['web@1']), failsWith('CONFLICT', /machine 52-54-00-00-00-01 .*reset/));
  assert.throws(() => removeFromStore(store, ['web'], { force: true }), failsWith('CONFLICT', /machine/));
  assert.deepEqual(
    pruneImage(store, 'web', { last: 1 }).map(({ reasons }) => reasons.join()),
    ['newest,last', `machine ${bob}`, `machine ${alice}`],
  );
  await collectGarbage(store);
  assert.equal((await machines.begin(keep(alice))).reference, 'web@1');
  await assertDisk(machines, alice, changed(content, 1));
  await assertClean(store);
});

test('connections are ended by the next boot, and what they still ask for fails', async () => {
  await using place = await room();
  const { events, machines } = place;
  await machines.begin({ ...keep(alice), name: 'alice' });
  const disk = await connect(machines, alice);
  await disk.device.write(pattern(512, 1), 0);
  await machines.begin(keep(alice));
  assert.equal(disk.ended?.aborted, true);
  assert.throws(() => disk.device.read(new Uint8Array(512), 0), failsWith('IO', /another one now/));
  await disk[Symbol.asyncDispose]?.();
  assert.deepEqual(
    events.map(({ connectionCount, kind, name }) => [kind, connectionCount, name]),
    [
      ['begin', 0, 'alice'],
      ['login', 1, 'alice'],
      ['first-write', 1, 'alice'],
      ['cut', 1, 'alice'],
      ['begin', 0, 'alice'],
    ],
  );
});

test('what was not heard of is refused with what there is to do', async () => {
  await using place = await room();
  const { machines, store } = place;
  await assert.rejects(machines.begin(discard('nobody')), failsWith('INVALID', /no MAC/));
  await assert.rejects(machines.begin(discard(alice, 'nothing')), failsWith('NOT_FOUND', /nothing/));
  await assert.rejects(machines.commit({ machine: 'alice', image: 'web' }), failsWith('NOT_FOUND', /clients/));
  await assert.rejects(machines.reset(bob), failsWith('NOT_FOUND', /clients/));
  await assert.rejects(Machines.open(store, undefined), failsWith('BUSY', /netboot \(process/));
  assert.equal(await machines.exports.find(alice), undefined);
});

test('an image that moved on is a conflict, a new name and --force are ways out of it', async () => {
  await using place = await room();
  const { content, machines, store } = place;
  await machines.begin(discard(alice));
  await write(machines, alice, 1);
  store.edit.repeatNewest('web', { message: '', author: '', time: Date.now() });
  const commit = (image: string, force = false) => machines.commit({ machine: alice, image, force });
  await assert.rejects(commit('web'), failsWith('CONFLICT', /moved on.*web@1.*web@2.*NEWNAME.*--force/));
  assert.equal((await commit('mine')).snapshot?.image, 'mine');
  await assertSnapshot(store, 'mine', changed(content, 1));
  await write(machines, alice, 2);
  // It was made of this very overlay.
  assert.equal((await commit('mine')).snapshot?.number, 2);
  await assertSnapshot(store, 'mine', changed(content, 2));
  cloneImage(store, 'web', 'other');
  await assert.rejects(commit('other'), failsWith('CONFLICT', /does not run from other/));
  assert.equal((await commit('web', true)).snapshot?.number, 3);
  await assertSnapshot(store, 'web', changed(content, 2));
  await assertDisk(machines, alice, changed(content, 2));
  await assertClean(store);
});

test('a reset drops the overlay, and not under a machine that runs', async () => {
  await using place = await room();
  const { content, machines, store } = place;
  await machines.begin({ ...keep(alice), name: 'Alice' });
  const disk = await connect(machines, alice);
  await disk.device.write(pattern(10_000, 1), 70_000);
  await assert.rejects(machines.reset('alice'), failsWith('BUSY', /Alice is connected/));
  assert.deepEqual(await machines.reset('alice', { force: true }), ['web']);
  assert.equal(disk.ended?.aborted, true);
  await disk[Symbol.asyncDispose]?.();
  assert.equal(await machines.exports.find(alice), undefined);
  assert.equal(store.overlays.all().length, 0);
  await machines.begin(keep(alice));
  await assertDisk(machines, alice, content);
});

test('a machine whose record is lost has its overlays still', async () => {
  await using place = await room();
  const { machines, store } = place;
  await machines.begin(keep(alice));
  await write(machines, alice, 1);
  await machines[Symbol.asyncDispose]();
  store.packs.delete(`machines/${alice}.json`);
  await using again = await Machines.open(store, undefined);
  assert.deepEqual(
    again.list().map(({ boot, kept, mac }) => [mac, boot, kept.length]),
    [[alice, undefined, 1]],
  );
  assert.equal((await again.begin(keep(alice))).isKept, true);
  await again.reset(alice);
  assert.deepEqual(await again.reset(alice), []);
  removeFromStore(store, ['web']);
});

test('a boot from what is not there leaves the machine its disk', async () => {
  await using place = await room();
  const { machines } = place;
  await machines.begin(keep(alice));
  const disk = await connect(machines, alice);
  await assert.rejects(machines.begin(keep(alice, 'web@9')), failsWith('NOT_FOUND', /web@9/));
  assert.equal(disk.ended?.aborted, false);
  await disk[Symbol.asyncDispose]?.();
});

test('a machine keeps one overlay for each image, and each can be dropped by itself', async () => {
  await using place = await room();
  const { content, machines, store } = place;
  cloneImage(store, 'web', 'db');
  await machines.begin(keep(alice, 'web'));
  await write(machines, alice, 1);
  await machines.begin(keep(alice, 'db'));
  await write(machines, alice, 2);
  await machines.begin(discard(alice, 'web'));
  await assertDisk(machines, alice, content);
  const [status] = machines.list();
  assert.equal(status?.boot?.overlay, 'discard');
  assert.deepEqual(status?.kept.map(({ image, overlay }) => [image, overlay]).sort(), [
    ['db', 'keep'],
    ['web', 'keep'],
  ]);
  await machines.begin(keep(alice, 'web'));
  await assertDisk(machines, alice, changed(content, 1));
  assert.deepEqual(await machines.reset(alice, { image: 'db' }), ['db']);
  await assertDisk(machines, alice, changed(content, 1));
  await machines.begin(keep(alice, 'db'));
  await assertDisk(machines, alice, content);
});

test('another process goes on with what one left, also when the catalog was lost', async () => {
  await using place = await room();
  const { content, machines, store } = place;
  await machines.begin({ ...keep(alice), name: 'alice' });
  await write(machines, alice, 1);
  await machines.begin(discard(bob));
  await write(machines, bob, 2);
  await machines.setNext(bob, 'web@1');
  await machines[Symbol.asyncDispose]();
  const look = async (other: Store): Promise<void> => {
    await using again = await Machines.open(other, undefined);
    await assertDisk(again, alice, changed(content, 1));
    await assertDisk(again, bob, changed(content, 2));
    const [first, second] = again.list();
    assert.deepEqual([first?.name, first?.boot?.entry, second?.next], ['alice', 'web', 'web@1']);
    assert.ok(first!.boot!.changedBytes > 0);
  };
  await look(store);
  const { path } = store;
  await store[Symbol.asyncDispose]();
  assert.deepEqual((await rebuildCatalog(path)).skipped, []);
  await using rebuilt = await openStore(path);
  await look(rebuilt);
  await assertClean(rebuilt);
});

test('only so many machines are remembered: those that were away longest go, unless they keep something', async () => {
  await using place = await room();
  const { machines, store } = place;
  await machines[Symbol.asyncDispose]();
  await using few = await Machines.open(store, undefined, { maximumMachines: 3 });
  await few.begin(keep(alice));
  for (let index = 2; index < 9; index += 1) await few.begin(discard(`52540000000${index}`));
  assert.deepEqual(
    few.list().map(({ mac }) => mac),
    [alice, '52-54-00-00-00-07', '52-54-00-00-00-08'],
  );
  assert.equal(store.overlays.all().length, 3);
});

test('a disk that nobody uses is closed, and opened again', async () => {
  await using place = await room();
  const { content, machines, store } = place;
  await machines[Symbol.asyncDispose]();
  await using quick = await Machines.open(store, undefined, { idleMs: 0 });
  await quick.begin(discard(alice));
  for (const seed of [1, 2, 3]) {
    await write(quick, alice, seed);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await assertDisk(quick, alice, changed(content, seed));
  }
});
