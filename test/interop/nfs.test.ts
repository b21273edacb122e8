import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { isVarveError, VarveError } from '../../src/base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../../src/block/block-device.ts';
import { delayFilter } from '../../src/filter/delay.ts';
import { ForwardingDevice } from '../../src/filter/forwarding-device.ts';
import { openGuest } from '../../src/guest/open-guest.ts';
import { openDisk } from '../../src/image/open-disk.ts';
import { nfsStatus, procedures } from '../../src/protocol/nfs/constants.ts';
import { programs } from '../../src/protocol/rpc/constants.ts';
import { XdrReader } from '../../src/protocol/rpc/xdr-reader.ts';
import { guestFileTree } from '../../src/server/guest-tree/file-place.ts';
import { openNfsDisks } from '../../src/server/nfs/disk-exports.ts';
import type { MountEvent } from '../../src/server/nfs/mount-program.ts';
import { listenNfs, type NfsServer, type NfsServerOptions } from '../../src/server/nfs/nfs-server.ts';
import { NfsClient, readAttributes } from '../nfs/nfs-client.ts';
import { makeNfsDisk } from '../nfs/nfs-disk.ts';
import { encodeArguments, type RpcArgument } from '../nfs/rpc-client.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const skip = skipWithout('mke2fs');
const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));
const key = new Uint8Array(32).fill(7);
const { disk, tree } = skip === false ? await makeNfsDisk(directory) : { disk: '', tree: '' };

async function noStore(): Promise<never> {
  throw new Error('there is none');
}

interface Serving extends AsyncDisposable {
  readonly server: NfsServer;
  readonly events: MountEvent[];
}

async function serving(options: Partial<NfsServerOptions> = {}, path = disk): Promise<Serving> {
  await using stack = new AsyncDisposableStack();
  const events: MountEvent[] = [];
  const exports = stack.use(await openNfsDisks([path], { store: noStore }));
  const onEvent = (event: MountEvent): void => void events.push(event);
  const server = stack.use(await listenNfs({ exports, key, host: '127.0.0.1', port: 0, onEvent, ...options }));
  const held = stack.move();
  return { server, events, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

async function mounted(client: NfsClient, path = '/disk.raw'): Promise<Uint8Array> {
  const handle = await client.mount(path);
  assert.ok(handle instanceof Uint8Array, `status ${handle}`);
  return handle;
}

async function found(client: NfsClient, root: Uint8Array, name: string): Promise<Uint8Array> {
  const handle = await client.lookup(root, name);
  assert.ok(handle instanceof Uint8Array, `${name}: status ${handle}`);
  return handle;
}

describe('files over NFS', { skip }, () => {
  test('are all there, as the tree has them', async () => {
    await using served = await serving();
    await using client = await NfsClient.connect(served.server.port);
    const root = await mounted(client);
    await compareDirectory(client, root, Buffer.from(tree), (await client.attributes(root)).fsid);
  });

  test('are read from anywhere in them, beyond 4 GiB too', async () => {
    await using served = await serving();
    await using client = await NfsClient.connect(served.server.port);
    const root = await mounted(client);
    const large = await found(client, root, 'large');
    const size = 5 * 2 ** 30;
    assert.equal((await client.attributes(large)).size, size);
    assert.deepEqual(await client.read(large, size - 10, 100), { data: Buffer.alloc(10), isEnd: true });
    assert.deepEqual(await client.read(large, size - 10, 5), { data: Buffer.alloc(5), isEnd: false });
    assert.deepEqual(await client.read(large, size, 100), { data: Buffer.alloc(0), isEnd: true });
    assert.deepEqual(await client.read(large, 2 ** 52, 100), { data: Buffer.alloc(0), isEnd: true });
    const { data, isEnd } = await client.read(large, 0, 2 ** 31);
    assert.deepEqual([data.length, isEnd], [2 ** 18, false]);
    const content = fs.readFileSync(join(tree, 'file of 1500000 bytes'));
    const file = await found(client, root, 'file of 1500000 bytes');
    const parts = Array.from({ length: 60 }, (_, index) => client.read(file, index * 25_001, 25_001));
    assert.deepEqual(Buffer.concat((await Promise.all(parts)).map((part) => part.data)), content);
  });

  test('belong to who they belong to', async () => {
    await using served = await serving();
    await using client = await NfsClient.connect(served.server.port);
    const root = await mounted(client);
    const secret = await found(client, root, 'secret');
    const access = async (file: Uint8Array, uid: number, gids: number[] = []): Promise<number> => {
      const { rest } = await client.call('ACCESS', [file, 63], { uid, gids });
      assert.ok(rest.bool());
      readAttributes(rest);
      return rest.u32be();
    };
    assert.equal(await access(secret, 0), 1);
    assert.equal(await access(secret, 1000), 0);
    assert.equal((await client.call('READ', [secret, 0n, 10], { uid: 1000 })).status, nfsStatus.ACCES);
    assert.equal((await client.call('READ', [secret, 0n, 10])).status, 0);
    const closed = await found(client, root, 'closed');
    assert.equal(await access(closed, 0), 3);
    assert.equal(await access(closed, 1000), 0);
    assert.equal(await client.lookup(closed, 'x', { uid: 1000 }), nfsStatus.ACCES);
    assert.equal((await client.call('READDIR', [closed, 0n, 0n, 1000], { uid: 1000 })).status, nfsStatus.ACCES);
    assert.equal(await access(root, 1000), 3);
  });

  test('are changed by nobody, and that is told with what they are', async () => {
    await using served = await serving();
    await using client = await NfsClient.connect(served.server.port);
    const root = await mounted(client);
    const one = await found(client, root, 'one');
    const [name, none] = [Buffer.from('new'), [0, 0, 0, 0, 0, 0]];
    for (const [procedure, args, changes, post] of [
      ['SETATTR', [one, ...none, 0], 1, 0],
      ['WRITE', [one, 0n, 3, 0, name], 1, 0],
      ['CREATE', [root, name, 0, ...none], 1, 0],
      ['MKDIR', [root, name, ...none], 1, 0],
      ['SYMLINK', [root, name, ...none, name], 1, 0],
      ['MKNOD', [root, name, 7, ...none], 1, 0],
      ['REMOVE', [root, name], 1, 0],
      ['RMDIR', [root, name], 1, 0],
      ['RENAME', [root, name, root, name], 2, 0],
      ['LINK', [one, root, name], 1, 1],
      ['COMMIT', [one, 0n, 0], 1, 0],
    ] as const) {
      const { rest, status } = await client.call(procedure, args);
      assert.equal(status, nfsStatus.ROFS, procedure);
      if (post > 0) assert.ok(rest.bool() && readAttributes(rest));
      for (let index = 0; index < changes; index += 1) {
        assert.ok(rest.bool());
        const size = rest.u64be();
        rest.skip(16);
        assert.ok(rest.bool());
        assert.equal(readAttributes(rest).size, size);
      }
      assert.equal(rest.remaining, 0, procedure);
      const forged = await client.call(
        procedure,
        args.map((each) => (each === one || each === root ? name : each)),
      );
      assert.equal(forged.status, nfsStatus.BADHANDLE);
      assert.equal(forged.rest.remaining, 4 * (2 * (changes + post) - post), procedure);
    }
  });

  test('keep their handles when the server is started again, and lose them with the key or the content', async () => {
    const copy = join(directory, 'copy.raw');
    fs.copyFileSync(disk, copy);
    let one: Uint8Array;
    {
      await using served = await serving({}, copy);
      await using client = await NfsClient.connect(served.server.port);
      one = await found(client, await mounted(client, '/'), 'one');
    }
    for (const [options, status] of [
      [{}, 0],
      [{ key: new Uint8Array(32) }, nfsStatus.BADHANDLE],
    ] as const) {
      await using served = await serving(options, copy);
      await using client = await NfsClient.connect(served.server.port);
      assert.equal((await client.call('GETATTR', [one])).status, status);
    }
    fs.utimesSync(copy, 1, 1);
    await using served = await serving({}, copy);
    await using client = await NfsClient.connect(served.server.port);
    assert.equal((await client.call('GETATTR', [one])).status, nfsStatus.STALE);
  });

  test('are mounted from any directory of a disk', async () => {
    await using served = await serving();
    await using client = await NfsClient.connect(served.server.port);
    const root = await mounted(client);
    assert.deepEqual(
      await client.mount('/disk.raw/etc/deep'),
      await found(client, await found(client, root, 'etc'), 'deep'),
    );
    assert.deepEqual(await client.mount('disk.raw//'), root);
    assert.deepEqual(await client.mount('/etc'), await found(client, root, 'etc'));
    assert.equal(await client.mount('/disk.raw/one'), nfsStatus.NOTDIR);
    assert.equal(await client.mount('/disk.raw/one/two'), nfsStatus.NOENT);
    assert.equal(await client.mount('/other'), nfsStatus.NOENT);
    const etc = await found(client, root, 'etc');
    assert.deepEqual(await client.lookup(etc, '..'), root);
    assert.deepEqual(await client.lookup(root, '..'), root);
    assert.deepEqual(await client.lookup(etc, '.'), etc);
    assert.deepEqual(
      served.events.map(({ failure, path }) => [path, failure === undefined]),
      [
        ['/disk.raw', true],
        ['/disk.raw/etc/deep', true],
        ['disk.raw//', true],
        ['/etc', true],
        ['/disk.raw/one', false],
        ['/disk.raw/one/two', false],
        ['/other', false],
      ],
    );
  });
});

/** A disk that can fail to be read. */
class BreakableDevice extends ForwardingDevice {
  isBroken = false;

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    if (this.isBroken) throw new VarveError('IO', 'the disk is broken');
    return super.read(target, offset);
  }
}

describe('a disk beneath NFS', { skip }, () => {
  /** Serves the disk through a filter. */
  async function over(t: TestContext, wrap: (device: BlockDevice) => BlockDevice): Promise<NfsClient> {
    const stack = new AsyncDisposableStack();
    t.after(() => stack.disposeAsync());
    const opened = stack.use(await openDisk(disk));
    const found = {
      id: new Uint8Array(32),
      async open() {
        const guest = await openGuest(wrap(opened.device), { name: 'disk', askSecret: undefined });
        return { ...(await guestFileTree(guest, '/')), [Symbol.asyncDispose]: () => guest[Symbol.asyncDispose]() };
      },
    };
    const exports = { find: async () => found, withId: async () => found, list: () => [] };
    const server = stack.use(await listenNfs({ exports, key, host: '127.0.0.1', port: 0 }));
    return stack.use(await NfsClient.connect(server.port));
  }

  test('that takes its time has many requests under way, which are answered as they are done', async (t) => {
    await using client = await over(t, (device) => delayFilter(device, { delayMs: 1, jitterMs: 5 }));
    const root = await mounted(client, '/');
    const file = await found(client, root, 'file of 1500000 bytes');
    const content = fs.readFileSync(join(tree, 'file of 1500000 bytes'));
    const parts = Array.from({ length: 150 }, (_, index) => client.read(file, index * 10_000, 10_000));
    assert.deepEqual(Buffer.concat((await Promise.all(parts)).map(({ data }) => data)), content);
  });

  test('that fails makes requests fail, and nothing else', async (t) => {
    let device: BreakableDevice | undefined;
    await using client = await over(t, (whole) => {
      device = new BreakableDevice(whole);
      return device;
    });
    const root = await mounted(client, '/');
    const file = await found(client, root, 'file of 1500000 bytes');
    device!.isBroken = true;
    const { rest, status } = await client.call('READ', [file, 500_000n, 2 ** 18]);
    assert.equal(status, nfsStatus.IO);
    assert.deepEqual([rest.u32be(), rest.remaining], [0, 0]);
    device!.isBroken = false;
    assert.equal((await client.read(file, 500_000, 2 ** 18)).data.length, 2 ** 18);
  });
});

test('a port that is in use is BUSY, over TCP and over UDP', { skip }, async (t) => {
  await using served = await serving();
  const { port } = served.server;
  await assert.rejects(serving({ port }), (error) => isVarveError(error, 'BUSY'));
  await assert.rejects(serving({ portMapPort: port }), (error) => isVarveError(error, 'BUSY'));
  const socket = dgram.createSocket('udp4');
  t.after(() => socket.close());
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  await assert.rejects(serving({ port: socket.address().port }), (error) => isVarveError(error, 'BUSY'));
});

test('what is asked over UDP is answered there', { skip }, async (t) => {
  await using served = await serving();
  await using client = await NfsClient.connect(served.server.port);
  const root = await mounted(client);
  const file = await found(client, root, 'file of 70000 bytes');
  const socket = dgram.createSocket('udp4');
  t.after(() => socket.close());
  const ask = async (program: number, procedure: number, args: readonly RpcArgument[]): Promise<XdrReader> => {
    const answer = once(socket, 'message');
    const message = encodeArguments([1, 0, 2, program, 3, procedure, 0, new Uint8Array(), 0, 0, ...args]);
    socket.send(message, served.server.port, '127.0.0.1');
    const reply = new XdrReader((await answer)[0], 'reply');
    reply.skip(24);
    return reply;
  };
  const handle = await ask(programs.MOUNT, 1, [Buffer.from('/disk.raw')]);
  assert.equal(handle.u32be(), 0);
  assert.deepEqual(Buffer.from(handle.opaque(64)), Buffer.from(root));
  const read = await ask(programs.NFS, procedures.READ, [file, 0n, 2 ** 18]);
  assert.deepEqual([read.u32be(), read.bool()], [0, true]);
  readAttributes(read);
  assert.deepEqual([read.u32be(), read.bool()], [2 ** 15, false]);
  const content = fs.readFileSync(join(tree, 'file of 70000 bytes'));
  assert.deepEqual(Buffer.from(read.opaque(2 ** 15)), content.subarray(0, 2 ** 15));
});

/** Compares a directory with the same of this machine, and all below it. */
async function compareDirectory(client: NfsClient, handle: Uint8Array, path: Buffer, fsid: bigint): Promise<void> {
  const listed = await client.listAll(handle, { length: 4096 });
  assert.deepEqual(
    listed.slice(0, 2).map(({ name }) => String(name)),
    ['.', '..'],
  );
  const names = listed.slice(2).filter(({ name }) => String(name) !== 'lost+found');
  const plain = await client.listAll(handle, { isPlus: false, length: 512 });
  assert.deepEqual(
    plain.map(({ name, fileid }) => [name, fileid]),
    listed.map(({ name, fileid }) => [name, fileid]),
  );
  const local = fs.readdirSync(path, { encoding: 'buffer' });
  assert.deepEqual(names.map(({ name }) => name).sort(Buffer.compare), local.sort(Buffer.compare));
  for (const { attributes, fileid, handle: own, name } of names) {
    const full = Buffer.concat([path, Buffer.from('/'), name]);
    const stat = fs.lstatSync(full);
    assert.ok(attributes !== undefined && own !== undefined);
    assert.deepEqual([attributes.fsid, attributes.fileid], [fsid, fileid]);
    assert.deepEqual(
      [attributes.mode, attributes.uid, attributes.modified, attributes.links],
      [stat.mode & 0o7777, stat.uid, Math.floor(stat.mtimeMs / 1000), stat.nlink],
      String(full),
    );
    assert.deepEqual(await client.attributes(own), attributes);
    if (stat.isDirectory()) await compareDirectory(client, own, full, fsid);
    else assert.equal(attributes.size, stat.size, String(full));
    if (stat.isSymbolicLink()) {
      const { rest } = await client.call('READLINK', [own]);
      if (rest.bool()) readAttributes(rest);
      assert.deepEqual(Buffer.from(rest.opaque(4096)), fs.readlinkSync(full, { encoding: 'buffer' }));
    }
    if (stat.isFile() && stat.size < 2 ** 18)
      assert.deepEqual((await client.read(own, 0, 2 ** 18)).data, fs.readFileSync(full));
  }
}

describe('programs that speak NFS', { skip: skip || skipWithout('nfs-ls', 'nfs-cat', 'showmount', 'rpcinfo') }, () => {
  const isRoot = process.getuid?.() === 0;

  test('libnfs lists and reads', async () => {
    await using served = await serving();
    const { port } = served.server;
    const url = (path: string): string => `nfs://127.0.0.1/disk.raw${path}?version=3&nfsport=${port}&mountport=${port}`;
    const { stdout } = await run('nfs-ls', [url('/many')], { maxBuffer: 2 ** 24 });
    assert.equal(stdout.trim().split('\n').length, 300);
    const content = await run('nfs-cat', [url('/file of 1500000 bytes')], { encoding: 'buffer', maxBuffer: 2 ** 24 });
    assert.deepEqual(content.stdout, fs.readFileSync(join(tree, 'file of 1500000 bytes')));
    await assert.rejects(run('nfs-cp', [join(tree, 'one'), url('/new')]));
  });

  test('find the ports, and what can be mounted', { skip: !isRoot && 'port 111 is for root' }, async (t) => {
    const started = await serving({ portMapPort: 111 }).catch((error: Error) => error.message);
    if (typeof started === 'string') return t.skip(started);
    await using served = started;
    const { port } = served.server;
    const { stdout } = await run('rpcinfo', ['-p', '127.0.0.1']);
    for (const transport of ['tcp', 'udp']) {
      assert.match(stdout, new RegExp(`100003 +3 +${transport} +${port}`));
      assert.match(stdout, new RegExp(`100005 +3 +${transport} +${port}`));
      await run('rpcinfo', ['-T', transport, '127.0.0.1', '100003', '3']);
      await run('rpcinfo', ['-T', transport, '127.0.0.1', '100005', '3']);
    }
    assert.match((await run('showmount', ['-e', '127.0.0.1'])).stdout, /^\/disk\.raw \(everyone\)$/m);
    await run('nfs-ls', ['nfs://127.0.0.1/disk.raw?version=3']);
    assert.match((await run('showmount', ['-a', '127.0.0.1'])).stdout, /^127\.0\.0\.1:\/disk\.raw$/m);
  });

  const withoutShark = skipWithout('tshark') || (!isRoot && 'capturing is for root');
  test('tshark finds nothing malformed', { skip: withoutShark }, async () => {
    await using served = await serving();
    const { port } = served.server;
    const file = join(directory, 'capture.pcapng');
    const shark = spawn('tshark', ['-i', 'lo', '-f', `port ${port}`, '-w', file], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    for await (const chunk of shark.stderr) if (String(chunk).includes('Capturing on')) break;
    await new Promise((resolve) => setTimeout(resolve, 500));
    const url = (path: string): string => `nfs://127.0.0.1/disk.raw${path}?version=3&nfsport=${port}&mountport=${port}`;
    await run('nfs-ls', [url('/')]);
    await run('nfs-cat', [url('/file of 70000 bytes')], { encoding: 'buffer' });
    await using client = await NfsClient.connect(port);
    const root = await mounted(client);
    for (const procedure of ['FSINFO', 'FSSTAT', 'PATHCONF', 'GETATTR', 'READLINK'] as const)
      await client.call(procedure, [root]);
    await client.call('REMOVE', [root, Buffer.from('one')]);
    await client.call('RENAME', [root, Buffer.from('one'), root, Buffer.from('two')]);
    await client.call('LINK', [root, root, Buffer.from('two')]);
    await client.listAll(root);
    await client.listAll(root, { isPlus: false });
    await new Promise((resolve) => setTimeout(resolve, 1000));
    const ended = once(shark, 'exit');
    shark.kill('SIGINT');
    await ended;
    const decode = [
      '-r',
      file,
      '-d',
      `tcp.port==${port},rpc`,
      '-T',
      'fields',
      '-e',
      'rpc.procedure',
      '-e',
      '_ws.malformed',
    ];
    const { stdout } = await run('tshark', decode);
    const lines = stdout.split('\n');
    assert.ok(lines.filter((line) => /\d/.test(line)).length > 15, stdout);
    assert.doesNotMatch(stdout, /alformed/);
  });
});
