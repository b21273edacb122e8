import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { delayFilter } from '../../src/filter/delay.ts';
import { statsFilter } from '../../src/filter/stats.ts';
import { commandFlags, commands, options } from '../../src/protocol/nbd/constants.ts';
import { type NbdExport, sharedEntry } from '../../src/server/nbd/nbd-export.ts';
import { listenNbd, type NbdServer, type NbdServerOptions } from '../../src/server/nbd/nbd-server.ts';
import { PlainNbdClient } from './nbd-client.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));
const path = join(directory, 'nbd.sock');

async function serving(nbdExport: NbdExport, more: Partial<NbdServerOptions> = {}): Promise<NbdServer> {
  const exports = { list: () => [{ name: '' }], find: () => sharedEntry(nbdExport) };
  return await listenNbd({ kind: 'unix', path }, { exports, ...more });
}

test('clients that take no answers share the memory there is, and others still get on', async () => {
  const device = statsFilter(memoryDevice(2 ** 24));
  await using _server = await serving({ device }, { maximumMemory: 2 ** 22 });
  const deaf = [];
  for (let count = 0; count < 8; count += 1) {
    const client = await new PlainNbdClient(path).go();
    client.stream.pause();
    for (let index = 0; index < 64; index += 1) client.send({ command: commands.READ, offset: 0, length: 2 ** 20 });
    deaf.push(client);
  }
  await sleep(200);
  // Each may have one more than there is room for, and what the system's buffers took.
  assert.ok(device.stats.read.count <= 4 + 4 * 8, `${device.stats.read.count} reads of 1 MiB`);
  const client = await new PlainNbdClient(path).go();
  for (let index = 0; index < 10; index += 1) {
    client.send({ command: commands.READ, offset: index, length: 4096 });
    assert.equal((await client.answer(4096))?.error, 0);
  }
  for (const each of deaf) each.stream.destroy();
  client.stream.destroy();
});

test('a client gets all of its answers though they need more memory than there is', async () => {
  const content = pattern(2 ** 20, 5);
  await using _server = await serving(
    { device: delayFilter(memoryDevice(content), { jitterMs: 2 }) },
    { maximumMemory: 4096 },
  );
  const clients = await Promise.all(
    Array.from({ length: 4 }, () => new PlainNbdClient(path).go({ style: 'structured' })),
  );
  for (let index = 0; index < 20; index += 1) {
    for (const client of clients) {
      client.send({ command: commands.READ, flags: commandFlags.DF, offset: 0, length: 2 ** 20 });
    }
  }
  for (let index = 0; index < 20; index += 1) {
    for (const client of clients) {
      const answer = await client.answer();
      assert.deepEqual(answer?.chunks[0]?.payload.subarray(8), Buffer.from(content));
    }
  }
  for (const client of clients) client.stream.destroy();
});

test('who stops in the middle of a request is left, and who only waits is not', async () => {
  await using server = await serving({ device: memoryDevice(2 ** 20) }, { stallTimeoutMs: 50 });
  const waiting = await new PlainNbdClient(path).go();
  const stopped = await new PlainNbdClient(path).go();
  stopped.send({ command: commands.WRITE, offset: 0, length: 65536, payload: new Uint8Array(1000) });
  const halfway = await new PlainNbdClient(path).go();
  halfway.stream.write(Buffer.of(0x25, 0x60));
  await Promise.all([stopped.closed, halfway.closed]);
  while (server.clientCount > 1) await sleep(5);
  waiting.send({ command: commands.READ, offset: 0, length: 512 });
  assert.equal((await waiting.answer(512))?.error, 0);
  waiting.stream.destroy();
});

test('who asks for nothing is left after a time, but not while a disk takes long', async () => {
  const device = delayFilter(memoryDevice(2 ** 20), { delayMs: 300 });
  await using _server = await serving({ device }, { idleTimeoutMs: 100 });
  const client = await new PlainNbdClient(path).go();
  client.send({ command: commands.READ, offset: 0, length: 512 });
  assert.equal((await client.answer(512))?.error, 0);
  await client.closed;
});

test('lists that nobody listens to are not made', async () => {
  let lists = 0;
  const exports = {
    list: () => {
      lists += 1;
      return Array.from({ length: 1000 }, (_, index) => ({ name: `disk ${index}`, description: 'x'.repeat(1000) }));
    },
    find: () => undefined,
  };
  await using _server = await listenNbd({ kind: 'unix', path }, { exports });
  const client = new PlainNbdClient(path);
  await client.greet();
  client.stream.pause();
  const option = Buffer.alloc(16);
  option.write('IHAVEOPT');
  option.writeUInt32BE(options.LIST, 8);
  for (let count = 0; count < 1000; count += 1) client.stream.write(option);
  await sleep(300);
  assert.ok(lists < 10, `${lists} lists of a megabyte`);
  client.stream.destroy();
});

test('the last answers are taken before the connection ends', async () => {
  const server = await serving({ device: memoryDevice(2 ** 24) });
  const client = await new PlainNbdClient(path).go();
  client.stream.pause();
  for (let index = 0; index < 4; index += 1) client.send({ command: commands.READ, offset: 0, length: 2 ** 20 });
  await sleep(50);
  const down = server.shutDown();
  await sleep(50);
  client.stream.resume();
  for (let index = 0; index < 4; index += 1)
    assert.equal((await client.answer(2 ** 20))?.chunks[0]?.payload.length, 2 ** 20);
  await down;
});
