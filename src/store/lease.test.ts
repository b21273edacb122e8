import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import { describe, test } from 'node:test';
import { runModule, startModule } from '../../test/store/run-module.ts';
import { importDisk, temporaryStore } from '../../test/store/temporary-store.ts';
import { pattern } from '../conformance/device-content.ts';
import { collectGarbage } from './collect-garbage.ts';
import type { LeaseKind } from './lease.ts';
import type { Store } from './store.ts';

const skip = fs.existsSync('/proc/self/stat') ? false : 'without /proc a process cannot be told from a later one';

function take(store: Store, kind: LeaseKind = 'ingest', root?: Uint8Array): number {
  return store.catalog.write(() => store.leases.take(kind, `a test of ${kind}`, { root }));
}

function change(store: Store, id: number, fields: Record<string, string | number>): void {
  for (const [field, value] of Object.entries(fields)) {
    store.catalog.run(`UPDATE leases SET ${field} = ? WHERE id = ?`, value, id);
  }
}

function rowCount(store: Store): number {
  return Number(store.catalog.get('SELECT count(*) AS count FROM leases')?.count);
}

/** A lease taken by a process that then waits to be killed. */
const holder = `
  const { openStore } = await import('../../src/store/store.ts');
  const store = await openStore(process.argv[1]);
  store.catalog.write(() => store.leases.take('ingest', 'import web'));
  console.log('taken');
  setInterval(() => {}, 1000);
`;

describe('LeaseTable', () => {
  test('a lease lives as long as its process, and says what it is for', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const before = Date.now();
    const root = new Uint8Array(32).fill(5);
    const id = take(store, 'read', root);
    const [lease, ...others] = store.leases.living();
    assert.deepEqual(others, []);
    assert.ok(lease!.created >= before);
    assert.deepEqual(
      { ...lease, created: 0, root: undefined },
      {
        ...{ id, kind: 'read', purpose: 'a test of read', pid: process.pid, created: 0, root: undefined },
        ...{ image: undefined, owner: undefined, socket: undefined },
      },
    );
    assert.deepEqual(store.leases.living('ingest', 'collect'), []);
    assert.equal(store.leases.living('read', 'collect').length, 1);
    store.leases.release(id);
    store.leases.release(id);
    assert.deepEqual(store.leases.living(), []);
  });

  test('the roots that are held are given once each', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const roots = [1, 2, 1].map((byte) => new Uint8Array(32).fill(byte));
    for (const root of roots) take(store, 'read', root);
    take(store, 'ingest');
    const held = store.leases.heldRoots().map((root) => root[0]);
    assert.deepEqual(held.sort(), [1, 2]);
  });

  test('a lease ends when its process is killed', { skip }, async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    const child = startModule(holder, [path]);
    await once(child.stdout!, 'data');
    assert.deepEqual(
      store.leases.living('ingest').map(({ pid, purpose }) => [pid, purpose]),
      [[child.pid, 'import web']],
    );
    store.catalog.write(() => store.leases.reap());
    assert.equal(rowCount(store), 1);
    await assert.rejects(collectGarbage(store, { waitMs: 0 }), {
      code: 'BUSY',
      message: new RegExp(`import web \\(process ${child.pid}\\)`),
    });
    child.kill('SIGKILL');
    await once(child, 'close');
    assert.deepEqual(store.leases.living(), []);
    assert.equal(rowCount(store), 1);
    await collectGarbage(store, { waitMs: 0 });
    assert.equal(rowCount(store), 0);
  });

  test('a zombie holds nothing', { skip }, async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    // The shell becomes a program that never asks what became of its child.
    const parent = startModule(
      `const { spawn } = await import('node:child_process');
       const [, node, path, source] = process.argv;
       const run = '"$0" --input-type=module-typescript --eval "$2" -- "$1" & exec sleep 100';
       spawn('sh', ['-c', run, node, path, source], { stdio: ['ignore', 'inherit', 'inherit'] });
       process.stdin.on('end', () => process.exit()).resume();`,
      [process.execPath, path, holder],
    );
    await once(parent.stdout!, 'data');
    const [lease] = store.leases.living();
    process.kill(lease!.pid, 'SIGKILL');
    const state = () => fs.readFileSync(`/proc/${lease!.pid}/stat`, 'utf8').split(') ')[1]?.[0];
    while (state() !== 'Z') await new Promise((resolve) => setTimeout(resolve, 5));
    assert.deepEqual(store.leases.living(), []);
    const sleeper = Number(fs.readFileSync(`/proc/${lease!.pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]);
    process.kill(sleeper, 'SIGKILL');
    parent.stdin!.end();
    await once(parent, 'close');
  });

  test('a process that has the number of a dead one does not hold its leases', { skip }, async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const id = take(store);
    change(store, id, { start_time: 1 });
    assert.deepEqual(store.leases.living(), []);
  });

  test('leases from before the last boot are over', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const id = take(store);
    change(store, id, { boot_id: '00000000-0000-0000-0000-000000000000' });
    assert.deepEqual(store.leases.living(), []);
    store.catalog.write(() => store.leases.reap());
    assert.equal(rowCount(store), 0);
  });

  test('leases from a container whose processes cannot be seen are kept', { skip }, async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    const id = take(store);
    change(store, id, { pid_namespace: 'pid:[1]', pid: 2 ** 30, start_time: 1 });
    assert.equal(store.leases.living().length, 1);
    store.catalog.write(() => store.leases.reap());
    assert.equal(rowCount(store), 1);
    await assert.rejects(collectGarbage(store, { waitMs: 0 }), { code: 'BUSY' });
  });

  test('a process that is not there holds nothing', async () => {
    await using temporary = await temporaryStore();
    const { store } = temporary;
    change(store, take(store), { pid: 2 ** 30 });
    assert.deepEqual(store.leases.living(), []);
  });

  test('garbage collection forgets the leases of readers that died, and then what they read', { skip }, async () => {
    await using temporary = await temporaryStore();
    const { store, path } = temporary;
    await importDisk(store, 'web', pattern(300_000, 1));
    const reader = `
      const { openStore } = await import('../../src/store/store.ts');
      const store = await openStore(process.argv[1]);
      await store.openSnapshot(store.images.resolve('web'));
      process.kill(process.pid, 'SIGKILL');
    `;
    await runModule(reader, [path]);
    assert.equal(rowCount(store), 1);
    store.edit.removeImage('web');
    assert.equal((await collectGarbage(store)).deletedPacks, 1);
    assert.equal(rowCount(store), 0);
  });
});
