import assert from 'node:assert/strict';
import { mkdtemp, rm, stat } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { contentOf, pattern } from '../../conformance/device-content.ts';
import { delayFilter } from '../../filter/delay.ts';
import { statsFilter } from '../../filter/stats.ts';
import { commands, nbdErrors, options } from '../../protocol/nbd/constants.ts';
import { encodeInfoRequest, encodeOption } from '../../protocol/nbd/option-codec.ts';
import { encodeRequest, requestLength } from '../../protocol/nbd/transmission-codec.ts';
import { sharedEntry } from './nbd-export.ts';
import { listenNbd, type NbdServer, type NbdServerOptions } from './nbd-server.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));

let socketCount = 0;

/** A server of one disk under the name that is empty. */
async function serving(device: BlockDevice, more: Partial<NbdServerOptions> = {}): Promise<NbdServer> {
  socketCount += 1;
  const exports = {
    list: () => [{ name: '' }],
    find: (name: string) => (name === '' ? sharedEntry({ device }) : undefined),
  };
  return await listenNbd({ kind: 'unix', path: join(directory, `${socketCount}.sock`) }, { exports, ...more });
}

/** A client that says what it is told to, and hears everything. */
class Client {
  readonly socket: net.Socket;
  readonly closed: Promise<void>;
  #received = Buffer.alloc(0);
  #wake = Promise.withResolvers<void>();

  constructor({ address }: NbdServer) {
    assert.equal(address.kind, 'unix');
    this.socket = net.connect(address.kind === 'unix' ? address.path : '');
    this.closed = new Promise((resolve) => this.socket.once('close', () => resolve()));
    this.socket.on('error', () => undefined);
    this.socket.on('close', () => this.#wake.resolve());
    this.socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    });
  }

  /** The next bytes; fewer where the connection ends. */
  async read(length: number): Promise<Buffer> {
    while (this.#received.length < length && !this.socket.destroyed) await this.#wake.promise;
    const bytes = this.#received.subarray(0, length);
    this.#received = this.#received.subarray(length);
    return bytes;
  }

  /** Comes to the export by simple replies. */
  async go(): Promise<this> {
    await this.read(18);
    this.socket.write(Buffer.of(0, 0, 0, 3));
    this.socket.write(encodeOption(options.GO, encodeInfoRequest({ name: '', types: [] })));
    await this.read(20 + 12 + 20);
    return this;
  }

  request(command: number, offset: number, length: number, cookieLow = 1, payload?: Uint8Array): void {
    const head = Buffer.alloc(requestLength('simple'));
    const view = new DataView(head.buffer, head.byteOffset, head.length);
    encodeRequest(view, 0, false, { hasMagic: true, flags: 0, command, cookieHigh: 0, cookieLow, offset, length });
    this.socket.write(payload === undefined ? head : Buffer.concat([head, payload]));
  }

  /** The next simple reply's error and cookie. */
  async reply(): Promise<{ error: number; cookie: number } | undefined> {
    const head = await this.read(16);
    return head.length < 16 ? undefined : { error: head.readUInt32BE(4), cookie: head.readUInt32BE(12) };
  }
}

test('the socket is its owner’s alone, and is gone after the server', async () => {
  const server = await serving(memoryDevice(512));
  const path = server.address.kind === 'unix' ? server.address.path : '';
  assert.equal((await stat(path)).mode & 0o777, 0o600);
  await assert.rejects(listenNbd(server.address, { exports: { list: () => [], find: () => undefined } }), {
    code: 'EXISTS',
  });
  await server.shutDown();
  await assert.rejects(stat(path), { code: 'ENOENT' });
});

test('TCP finds a free port', async () => {
  const exports = { list: () => [], find: () => undefined };
  await using server = await listenNbd({ kind: 'tcp', host: '127.0.0.1', port: 0 }, { exports });
  const { address } = server;
  assert.ok(address.kind === 'tcp' && address.port > 0);
  await assert.rejects(listenNbd(address, { exports }), { code: 'BUSY' });
});

test('a client that sends garbage, half a header or nothing, or goes away in the middle, hurts nobody', async () => {
  await using server = await serving(memoryDevice(pattern(65536, 1)), { handshakeTimeoutMs: 200 });
  const sent = [
    Buffer.from('GET / HTTP/1.0\r\n\r\n'),
    Buffer.of(0, 0, 0, 3, 0x49, 0x48),
    Buffer.alloc(0),
    Buffer.alloc(70_000, 0xff),
  ];
  const bad = sent.map((bytes) => {
    const client = new Client(server);
    client.socket.write(bytes);
    return client;
  });
  const lost = await new Client(server).go();
  lost.socket.write(Buffer.alloc(100, 0xee));
  const midway = await new Client(server).go();
  midway.request(commands.WRITE, 0, 60_000, 1, new Uint8Array(1000));
  midway.socket.destroy();
  const good = await new Client(server).go();
  good.request(commands.READ, 0, 65536);
  assert.deepEqual(await good.reply(), { error: 0, cookie: 1 });
  assert.deepEqual(await good.read(65536), Buffer.from(pattern(65536, 1)));
  await Promise.all([...bad, lost].map(({ closed }) => closed));
  good.socket.end();
  await good.closed;
  assert.equal(server.clientCount, 0);
});

test('requests are answered as they are done, and payloads come in pieces', async () => {
  const device = memoryDevice(2 ** 24);
  await using server = await serving(delayFilter(device, { jitterMs: 5 }));
  const client = await new Client(server).go();
  for (let index = 0; index < 100; index += 1) {
    client.request(commands.WRITE, index * 100_000, 100_000, index, pattern(100_000, index));
  }
  const cookies = [];
  for (let index = 0; index < 100; index += 1) cookies.push((await client.reply())?.cookie as number);
  assert.deepEqual(
    cookies.toSorted((a, b) => a - b),
    [...Array(100).keys()],
  );
  for (const index of [0, 50, 99]) {
    assert.deepEqual(await contentOf(device, index * 100_000, 100_000), pattern(100_000, index));
  }
  client.request(commands.DISC, 0, 0);
  await client.closed;
});

test('a client that asks and does not listen is held back', async () => {
  const device = statsFilter(memoryDevice(2 ** 25));
  await using server = await serving(device);
  const client = await new Client(server).go();
  client.socket.pause();
  for (let index = 0; index < 1000; index += 1) client.request(commands.READ, 0, 2 ** 20, index);
  await new Promise((resolve) => setTimeout(resolve, 300));
  const before = device.stats.read.count;
  assert.ok(before < 100, `${before} reads of 1 MiB for a client that takes none`);
  client.socket.resume();
  for (let index = 0; index < 20; index += 1) {
    assert.equal((await client.reply())?.cookie, index);
    await client.read(2 ** 20);
  }
  client.socket.destroy();
});

test('shutting down answers what is under way, and refuses the rest', async () => {
  const server = await serving(delayFilter(memoryDevice(65536), { delayMs: 200 }));
  const client = await new Client(server).go();
  client.request(commands.READ, 0, 512, 7);
  await new Promise((resolve) => setTimeout(resolve, 50));
  const down = server.shutDown();
  client.request(commands.READ, 0, 512, 8);
  assert.deepEqual(await client.reply(), { error: nbdErrors.ESHUTDOWN, cookie: 8 });
  assert.deepEqual(await client.reply(), { error: 0, cookie: 7 });
  await client.read(512);
  await client.closed;
  await down;
});

test('who comes when the house is full is turned away', async () => {
  await using server = await serving(memoryDevice(512), { maximumClients: 2 });
  const guests = [await new Client(server).go(), await new Client(server).go()];
  const late = new Client(server);
  await late.closed;
  guests[0]?.socket.destroy();
  await guests[0]?.closed;
  while (server.clientCount > 1) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Client(server).go();
});

test('a write longer than any is read past and refused; one that never ends closes the connection', async () => {
  await using server = await serving(memoryDevice(2 ** 26));
  const client = await new Client(server).go();
  client.request(commands.WRITE, 0, 2 ** 25 + 1, 1, new Uint8Array(2 ** 25 + 1));
  client.request(commands.READ, 0, 512, 2);
  assert.deepEqual(await client.reply(), { error: nbdErrors.EINVAL, cookie: 1 });
  assert.deepEqual(await client.reply(), { error: 0, cookie: 2 });
  await client.read(512);
  client.request(commands.WRITE, 0, 0xffffffff, 3);
  await client.closed;
});
