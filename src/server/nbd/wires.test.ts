import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { openNbdDevice } from '../../block/nbd/nbd-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../conformance/device-content.ts';
import { sharedEntry } from './nbd-export.ts';
import { listenNbd } from './nbd-server.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));

const diskSize = 6 * 2 ** 20;

/** Does each request at once or later, as `isLate` says; the payload of a late write is read when it is done. */
function fickle(disk: BlockDevice, isLate: (turn: number) => boolean): BlockDevice {
  let turn = 0;
  const late = (action: () => void | Promise<void>): void | Promise<void> => {
    turn += 1;
    return isLate(turn) ? sleep(turn % 5).then(action) : action();
  };
  return {
    ...disk,
    size: disk.size,
    blockSize: disk.blockSize,
    supports: { ...disk.supports, extents: false },
    read: (target, offset) => late(() => disk.read(target, offset)),
    write: (source, offset) => late(() => disk.write(source, offset)),
    zero: (offset, length) => disk.zero(offset, length),
    trim: (offset, length) => disk.trim(offset, length),
    flush: () => disk.flush(),
    extents: (offset, length) => disk.extents(offset, length),
    [Symbol.asyncDispose]: async () => {},
  };
}

const tempers: readonly [string, (turn: number) => boolean][] = [
  ['at once', () => false],
  ['later', () => true],
  ['now at once, now later', (turn) => turn % 7 < 2 || turn % 31 > 20],
];

for (const [temper, isLate] of tempers) {
  for (const way of ['a socket', 'a stream that is none'] as const) {
    test(`reads and writes of all lengths over ${way}, on a disk that answers ${temper}`, async () => {
      const disk = memoryDevice(diskSize);
      await using served = await serving(fickle(disk, isLate), way);
      await using client = await openNbdDevice({ server: { kind: 'unix', path: served.path }, exportName: '' });
      const wanted = pattern(diskSize, 3);
      await Promise.all(ranges().map(({ start, end }) => client.write(wanted.subarray(start, end), start)));
      assertEqualBytes(await contentOf(disk), wanted, 'written');
      await Promise.all(ranges().map((range) => requireRead(client, range, wanted)));
    });
  }
}

let socketCount = 0;

/** Serves on a socket, or streams that pass on what comes over one. */
async function serving(
  device: BlockDevice,
  way: 'a socket' | 'a stream that is none',
): Promise<AsyncDisposable & { readonly path: string }> {
  socketCount += 1;
  const path = join(directory, `${socketCount}.sock`);
  const exports = { list: () => [{ name: '' }], find: () => sharedEntry({ device }) };
  if (way === 'a socket') {
    const server = await listenNbd({ kind: 'unix', path }, { exports });
    return { path, [Symbol.asyncDispose]: () => server.shutDown() };
  }
  const server = await listenNbd([], { exports });
  const relay = await listening(path, (socket) => {
    const stream = new Duplex({
      read: () => void socket.resume(),
      write: (chunk, _, done) => void socket.write(chunk, done),
      final: (done) => void socket.end(done),
    });
    socket.on('data', (chunk) => stream.push(chunk) || socket.pause());
    socket.on('end', () => stream.push(null)).on('error', () => undefined);
    void server.serve(stream);
  });
  return {
    path,
    async [Symbol.asyncDispose]() {
      relay.close();
      await server.shutDown();
    },
  };
}

async function listening(path: string, onConnection: (socket: net.Socket) => void): Promise<net.Server> {
  const server = net.createServer(onConnection);
  await new Promise<void>((resolve) => server.listen(path, resolve));
  return server;
}

/** Ranges that cover the disk, short and long in turn. */
function ranges(): { start: number; end: number }[] {
  const lengths = [1, 4096, 512, 65_536, 131_072, 28, 262_144, 300_000, 4096, 4096, 1_000_000, 7];
  const found = [];
  for (let start = 0; start < diskSize; start = found.at(-1)?.end ?? 0) {
    found.push({ start, end: Math.min(diskSize, start + (lengths[found.length % lengths.length] as number)) });
  }
  return found;
}

async function requireRead(
  device: BlockDevice,
  { end, start }: { start: number; end: number },
  wanted: Uint8Array,
): Promise<void> {
  const target = new Uint8Array(end - start);
  await device.read(target, start);
  assertEqualBytes(target, wanted.subarray(start, end), `read at ${start}`);
}

test('a client that takes replies slowly gets all of them', async () => {
  const wanted = pattern(diskSize, 4);
  await using served = await serving(memoryDevice(wanted), 'a socket');
  const path = join(directory, 'relay.sock');
  const relay = await listening(path, (socket) => {
    const far = net.connect({ path: served.path });
    far.on('data', (chunk: Buffer) => {
      far.pause();
      socket.write(chunk, () => setTimeout(() => far.resume(), 1));
    });
    socket.on('error', () => undefined).on('close', () => far.destroy());
    far.on('error', () => undefined).on('close', () => socket.destroy());
    socket.pipe(far);
  });
  {
    await using client = await openNbdDevice({ server: { kind: 'unix', path }, exportName: '' });
    await Promise.all(ranges().map((range) => requireRead(client, range, wanted)));
  }
  relay.close();
});

test('a client without a request is closed after the time that is set', async () => {
  const path = join(directory, 'idle.sock');
  const exports = { list: () => [{ name: '' }], find: () => sharedEntry({ device: memoryDevice(4096) }) };
  await using server = await listenNbd({ kind: 'unix', path }, { exports, idleTimeoutMs: 100 });
  await using client = await openNbdDevice({ server: { kind: 'unix', path }, exportName: '' });
  assert.equal(server.clientCount, 1);
  await client.read(new Uint8Array(10), 0);
  while (server.clientCount > 0) await sleep(5);
});
