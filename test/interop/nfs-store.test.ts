import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { importDisk } from '../../src/image/import-disk.ts';
import { nfsStatus } from '../../src/protocol/nfs/constants.ts';
import { type NfsDisksOptions, openNfsDisks } from '../../src/server/nfs/disk-exports.ts';
import { keptHandleKey } from '../../src/server/nfs/handle-key.ts';
import { listenNfs, type NfsServer } from '../../src/server/nfs/nfs-server.ts';
import type { Store } from '../../src/store/store.ts';
import { NfsClient } from '../nfs/nfs-client.ts';
import { temporaryFolder, temporaryStore } from '../store/temporary-store.ts';
import { skipWithout } from './require-tool.ts';

const skip = skipWithout('mke2fs');
const key = new Uint8Array(32).fill(5);

/** Imports a disk with one file as the next snapshot of an image. */
async function addSnapshot(store: Store, folder: string, name: string, content: string): Promise<void> {
  const [tree, disk] = [join(folder, 'tree'), join(folder, 'disk.raw')];
  await mkdir(tree, { recursive: true });
  await writeFile(join(tree, 'says'), content);
  await rm(disk, { force: true });
  await writeFile(disk, '');
  await truncate(disk, 2 ** 22);
  await promisify(execFile)('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', tree, disk], {
    env: { ...process.env, MKE2FS_CONFIG: '/dev/null' },
  });
  await importDisk(store, disk, { name, update: store.images.find(name) !== undefined });
}

/** The server, and a client of it. */
async function serving(
  store: Store,
  disks: readonly string[],
  options: Partial<NfsDisksOptions> = {},
): Promise<AsyncDisposable & { readonly client: NfsClient; readonly server: NfsServer }> {
  await using stack = new AsyncDisposableStack();
  const exports = stack.use(await openNfsDisks(disks, { store: async () => store, ...options }));
  const server = stack.use(await listenNfs({ exports, key, host: '127.0.0.1', port: 0 }));
  const client = stack.use(await NfsClient.connect(server.port));
  const held = stack.move();
  return { client, server, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** What the one file says below a directory that is mounted. */
async function saidBelow(client: NfsClient, root: Uint8Array | number): Promise<string> {
  assert.ok(root instanceof Uint8Array, `status ${root}`);
  const file = await client.lookup(root, 'says');
  assert.ok(file instanceof Uint8Array, `status ${file}`);
  return String((await client.read(file, 0, 100)).data);
}

test('who has mounted a snapshot keeps it while the image moves on, also when the server is started again', {
  skip,
}, async () => {
  await using folder = await temporaryFolder();
  await using place = await temporaryStore();
  const { store } = place;
  await addSnapshot(store, folder.path, 'web', 'one');
  await addSnapshot(store, folder.path, 'db', 'other');
  let root: Uint8Array | number;
  {
    await using served = await serving(store, ['web']);
    const { client } = served;
    root = await client.mount('/web');
    assert.equal(await saidBelow(client, root), 'one');
    await addSnapshot(store, folder.path, 'web', 'two');
    assert.equal(await saidBelow(client, root), 'one');
    assert.equal(await saidBelow(client, await client.mount('/web')), 'two');
    assert.equal(await client.mount('/db'), nfsStatus.NOENT);
    assert.equal(await client.mount('/web@1'), nfsStatus.NOENT);
  }
  for (const [disks, options] of [
    [['web'], {}],
    [['web@2'], {}],
    [[], { all: true }],
  ] as const) {
    await using served = await serving(store, disks, options);
    assert.equal(await saidBelow(served.client, root), 'one');
  }
  await using served = await serving(store, ['db']);
  assert.ok(root instanceof Uint8Array);
  assert.equal((await served.client.call('GETATTR', [root])).status, nfsStatus.STALE);
});

test('a whole store is served, each snapshot with numbers of its own for its files', { skip }, async () => {
  await using folder = await temporaryFolder();
  await using place = await temporaryStore();
  const { store } = place;
  // More than are kept open.
  for (let number = 1; number <= 20; number += 1) await addSnapshot(store, folder.path, 'web', `${number}`);
  await using served = await serving(store, [], { all: true });
  const { client } = served;
  const roots: Uint8Array[] = [];
  for (let number = 1; number <= 20; number += 1) {
    const root = await client.mount(`/web@${number}`);
    assert.equal(await saidBelow(client, root), `${number}`);
    roots.push(root as Uint8Array);
  }
  const said = await Promise.all(roots.map((root) => saidBelow(client, root)));
  assert.deepEqual(
    said,
    roots.map((_, index) => `${index + 1}`),
  );
  const seen = await Promise.all(roots.map((root) => client.attributes(root)));
  assert.equal(new Set(seen.map(({ fsid }) => fsid)).size, 20);
  assert.equal(await saidBelow(client, await client.mount('/web')), '20');
  assert.equal(await client.mount('/web@21'), nfsStatus.NOENT);
  assert.equal(await client.mount('/'), nfsStatus.NOENT);
  const reply = await client.rpc.call([100_005, 3, 5], []);
  assert.equal(reply.u32be(), 0);
  const paths: string[] = [];
  for (; reply.bool(); reply.bool()) paths.push(String(Buffer.from(reply.opaque(1024))));
  assert.deepEqual(paths.sort(), ['/web', ...roots.map((_, index) => `/web@${index + 1}`)].sort());
});

test('the key of file handles is made once, and is for its owner alone', async () => {
  await using folder = await temporaryFolder();
  const path = join(folder.path, 'state/varve/key');
  const keys = await Promise.all([keptHandleKey(path), keptHandleKey(path), keptHandleKey(path)]);
  for (const each of keys) assert.deepEqual(Buffer.from(each), await readFile(path));
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  assert.deepEqual(await keptHandleKey(path), keys[0]);
  await writeFile(path, 'short');
  await assert.rejects(keptHandleKey(path), /holds no key of file handles/);
});
