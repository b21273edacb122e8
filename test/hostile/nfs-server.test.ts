import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import fc from 'fast-check';
import { nfsStatus, procedures } from '../../src/protocol/nfs/constants.ts';
import { programs } from '../../src/protocol/rpc/constants.ts';
import { openNfsDisks } from '../../src/server/nfs/disk-exports.ts';
import { listenNfs, type NfsServer, type NfsServerOptions } from '../../src/server/nfs/nfs-server.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { NfsClient } from '../nfs/nfs-client.ts';
import { makeNfsDisk } from '../nfs/nfs-disk.ts';
import { encodeArguments, RpcClient, record } from '../nfs/rpc-client.ts';

const skip = skipWithout('mke2fs');
const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));
const { disk } = skip === false ? await makeNfsDisk(directory, 10) : { disk: '' };

interface Serving extends AsyncDisposable {
  readonly server: NfsServer;
  /** Somebody who keeps to the rules meanwhile, and whom others must not hurt. */
  readonly good: NfsClient;
  readonly root: Uint8Array;
}

async function serving(options: Partial<NfsServerOptions> = {}): Promise<Serving> {
  await using stack = new AsyncDisposableStack();
  const store = (): Promise<never> => Promise.reject(new Error('there is none'));
  const exports = stack.use(await openNfsDisks([disk], { store }));
  const server = stack.use(await listenNfs({ exports, host: '127.0.0.1', port: 0, ...options }));
  const good = stack.use(await NfsClient.connect(server.port));
  const root = (await good.mount('/disk.raw')) as Uint8Array;
  const held = stack.move();
  return { server, good, root, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

async function isWell({ good, root }: Serving): Promise<void> {
  assert.equal((await good.attributes(root)).type, 2);
}

/** The calls of NFS, with arguments that make no sense. */
const nonsense = fc.array(
  fc.oneof(fc.nat(0xffff_ffff), fc.bigInt(0n, 2n ** 64n - 1n), fc.uint8Array({ maxLength: 200 })),
  { maxLength: 8 },
);

describe('an NFS server', { skip }, () => {
  test('ends connections that send what is no RPC, and no others', async () => {
    await using served = await serving();
    const { port } = served.server;
    for (const bytes of [
      Uint8Array.of(0xff, 0xff, 0xff, 0xff),
      Uint8Array.of(0x7f, 0xff, 0xff, 0xff),
      Uint8Array.of(0x80, 0, 0, 0),
      record(new Uint8Array(100)),
      record(encodeArguments([1, 1, 0])),
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
    ]) {
      await using client = await RpcClient.connect(port);
      client.send(bytes);
      await isWell(served);
      if (bytes.length === 104) continue;
      await client.closed;
    }
    for (let round = 0; round < 30; round += 1) {
      await using client = await RpcClient.connect(port);
      client.send(randomBytes(5000));
      await client.closed;
    }
    await isWell(served);
  });

  test('answers whatever arguments there are, in bounds', async () => {
    await using served = await serving();
    const { good, root } = served;
    await fc.assert(
      fc.asyncProperty(fc.nat(25), fc.boolean(), nonsense, async (procedure, isReal, args) => {
        const reply = await good.rpc.call([programs.NFS, 3, procedure], isReal ? [root, ...args] : args);
        const accepted = reply.u32be();
        if (procedure > procedures.COMMIT) assert.equal(accepted, 3);
        else assert.ok(accepted === 0 || accepted === 4, `accept_stat ${accepted} of ${procedure}`);
      }),
      { numRuns: 1500 },
    );
    await isWell(served);
  });

  test('tells of programs, versions and procedures that it has not got', async () => {
    await using served = await serving();
    const call = async (...what: [number, number, number]): Promise<number[]> => {
      const reply = await served.good.rpc.call(what, []);
      return Array.from({ length: reply.remaining / 4 }, () => reply.u32be());
    };
    assert.deepEqual(await call(programs.NFS, 3, 0), [0]);
    assert.deepEqual(await call(100_227, 3, 0), [1]);
    assert.deepEqual(await call(programs.NFS, 4, 1), [2, 3, 3]);
    assert.deepEqual(await call(programs.NFS, 3, 22), [3]);
    assert.deepEqual(await call(programs.NFS, 3, 1), [4]);
    assert.deepEqual(await call(programs.MOUNT, 1, 1), [2, 3, 3]);
    assert.deepEqual(await call(programs.PORTMAP, 2, 4), [1]);
  });

  test('takes no handle that it has not made', async () => {
    await using served = await serving();
    const { good, root } = served;
    for (let at = 0; at < root.length; at += 1) {
      const forged = root.slice();
      forged[at]! ^= 1 << (at % 8);
      for (const procedure of ['GETATTR', 'READLINK', 'FSSTAT'] as const) {
        assert.equal((await good.call(procedure, [forged])).status, nfsStatus.BADHANDLE);
      }
    }
    assert.equal((await good.call('GETATTR', [new Uint8Array()])).status, nfsStatus.BADHANDLE);
  });

  test('keeps to a directory whatever it is asked for there', async () => {
    await using served = await serving();
    const { good, root } = served;
    assert.equal(await good.lookup(root, '../etc'), nfsStatus.NOENT);
    assert.equal(await good.lookup(root, 'etc/os-release'), nfsStatus.NOENT);
    assert.equal(await good.lookup(root, ''), nfsStatus.NOENT);
    assert.equal(await good.lookup(root, '\0'), nfsStatus.NOENT);
    assert.equal(await good.lookup(root, 'x'.repeat(256)), nfsStatus.NAMETOOLONG);
    assert.equal(await good.lookup(root, 'x'.repeat(60_000)), nfsStatus.NAMETOOLONG);
    assert.equal(await good.mount('/disk.raw/../..'), nfsStatus.NOENT);
    assert.equal(await good.mount('/x'.repeat(512)), nfsStatus.NOENT);
    assert.equal((await good.call('READDIR', [root, 99n, 0n, 1000])).status, nfsStatus.BAD_COOKIE);
    assert.equal((await good.call('READDIR', [root, 2n ** 64n - 1n, 0n, 1000])).status, nfsStatus.BAD_COOKIE);
    assert.equal((await good.call('READDIR', [root, 0n, 0n, 10])).status, nfsStatus.TOOSMALL);
    assert.equal((await good.call('READDIRPLUS', [root, 0n, 0n, 0, 0])).status, nfsStatus.TOOSMALL);
    assert.equal((await good.call('READDIRPLUS', [root, 0n, 0n, 2 ** 32 - 1, 2 ** 32 - 1])).status, 0);
    assert.equal((await good.call('READ', [root, 0n, 10])).status, nfsStatus.ISDIR);
    assert.equal((await good.call('READLINK', [root])).status, nfsStatus.INVAL);
  });

  test('answers ten thousand calls that come at once', async () => {
    await using served = await serving({ maximumRequests: 8 });
    const calls = Array.from({ length: 10_000 }, () => served.good.rpc.call([programs.NFS, 3, 0], []));
    for (const reply of await Promise.all(calls)) assert.equal(reply.u32be(), 0);
  });

  test('keeps little for clients that take nothing', async () => {
    await using served = await serving({ maximumMemory: 2 ** 21, stallTimeoutMs: 500 });
    const { good, root, server } = served;
    const file = (await good.lookup(root, 'file of 1500000 bytes')) as Uint8Array;
    const before = process.memoryUsage.rss();
    await using stack = new AsyncDisposableStack();
    const greedy: RpcClient[] = [];
    for (let index = 0; index < 10; index += 1) {
      const client = stack.use(await RpcClient.connect(server.port));
      client.stopReading();
      greedy.push(client);
      for (let offset = 0; offset < 400; offset += 1) {
        client.call([programs.NFS, 3, procedures.READ], [file, BigInt(offset), 2 ** 18]).catch(() => undefined);
      }
    }
    // They keep room for answers until they are left.
    for (let round = 0; round < 5; round += 1) {
      await isWell(served);
      await good.read(file, round * 1000, 1000);
    }
    assert.ok(process.memoryUsage.rss() - before < 2 ** 28);
    while (server.clientCount > 1) await new Promise((resolve) => setTimeout(resolve, 50));
    await isWell(served);
  });

  test('leaves clients that stop within a request, or that are too many', async () => {
    await using served = await serving({ stallTimeoutMs: 300, maximumClients: 3 });
    const { port } = served.server;
    await using half = await RpcClient.connect(port);
    half.send(Uint8Array.of(0x80, 0, 0, 100, 1, 2, 3));
    await using fragments = await RpcClient.connect(port);
    fragments.send(Uint8Array.of(0, 0, 0, 2, 1, 2));
    await using tooMany = await RpcClient.connect(port);
    await tooMany.closed;
    await half.closed;
    await fragments.closed;
    await isWell(served);
  });

  test('is not troubled by datagrams', async () => {
    await using served = await serving();
    const socket = dgram.createSocket('udp4');
    after(() => socket.close());
    const { port } = served.server;
    const send = (bytes: Uint8Array): Promise<unknown> =>
      new Promise((resolve) => socket.send(bytes, port, '127.0.0.1', resolve));
    for (let round = 0; round < 200; round += 1) await send(randomBytes(round * 5));
    const call = encodeArguments([77, 0, 2, programs.NFS, 3, 0, 0, new Uint8Array(), 0, 0]);
    for (let length = 0; length < call.length; length += 1) await send(call.subarray(0, length));
    const answer = new Promise<Buffer>((resolve) => socket.once('message', resolve));
    await send(call);
    assert.equal((await answer).toString('hex'), '0000004d00000001'.padEnd(48, '0'));
    await isWell(served);
  });
});
