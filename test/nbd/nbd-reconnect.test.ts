import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { memoryDevice } from '../../src/block/memory-device.ts';
import { LostWritesError } from '../../src/block/nbd/lost-writes-error.ts';
import { type NbdDeviceOptions, openNbdDevice } from '../../src/block/nbd/nbd-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { delayFilter } from '../../src/filter/delay.ts';
import { sharedEntry } from '../../src/server/nbd/nbd-export.ts';
import { listenNbd, type NbdServer } from '../../src/server/nbd/nbd-server.ts';
import { type CuttableProxy, cuttableProxy } from './cuttable-proxy.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));
let count = 0;

function newPath(): string {
  count += 1;
  return join(directory, `${count}.sock`);
}

async function listen(device: BlockDevice, path: string): Promise<NbdServer> {
  const exports = { list: () => [{ name: '' }], find: () => sharedEntry({ device }) };
  return await listenNbd({ kind: 'unix', path }, { exports });
}

interface Setting extends AsyncDisposable {
  readonly device: BlockDevice;
  readonly proxy: CuttableProxy;
}

/** A disk, a server of it, and a device that reaches it through what may be cut. */
async function setting(disk: BlockDevice, options: NbdDeviceOptions = {}): Promise<Setting> {
  const [path, behind] = [newPath(), newPath()];
  const server = await listen(disk, behind);
  const proxy = await cuttableProxy(path, behind);
  const device = await openNbdDevice({ server: { kind: 'unix', path }, exportName: '' }, options);
  return {
    device,
    proxy,
    async [Symbol.asyncDispose]() {
      await device[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

const size = 2 ** 20;

test('what was under way when a connection broke is asked again', async () => {
  await using at = await setting(delayFilter(memoryDevice(pattern(size, 1)), { delayMs: 30 }), { connections: 4 });
  const source = pattern(65536, 2);
  const requests = [
    contentOf(at.device, 0, size / 2),
    at.device.write(source, size / 2),
    at.device.zero(0xc0000, 5000),
  ];
  setTimeout(() => at.proxy.cut(), 10);
  const [read] = await Promise.all(requests);
  assertEqualBytes(read as Uint8Array, pattern(size, 1).subarray(0, size / 2), 'read');
  const expected = pattern(size, 1);
  expected.set(source, size / 2);
  expected.fill(0, 0xc0000, 0xc0000 + 5000);
  assertEqualBytes(await contentOf(at.device), expected, 'after all of it');
  await at.device.flush();
});

for (const connections of [1, 4]) {
  test(`a flush tells that acknowledged writes may be lost, once: ${connections} connections`, async () => {
    await using at = await setting(memoryDevice(size), { connections });
    for (let block = 0; block < 8; block += 1) await at.device.write(pattern(4096, block), block * 4096);
    at.proxy.cut();
    await contentOf(at.device, 0, 4096);
    const flushes = await Promise.allSettled([at.device.flush(), at.device.flush()]);
    for (const flush of flushes) {
      assert.ok(flush.status === 'rejected' && flush.reason instanceof LostWritesError, 'each that began before');
      assert.equal(flush.reason.code, 'IO');
    }
    await at.device.write(pattern(4096, 1), 0);
    await at.device.flush();
  });
}

test('a flush finds out by itself that a connection is gone', async () => {
  await using at = await setting(memoryDevice(size));
  await at.device.write(pattern(4096, 1), 0);
  at.proxy.cut();
  await assert.rejects(async () => at.device.flush(), LostWritesError);
  await at.device.flush();
});

test('of several connections, one that breaks is enough for a flush to fail', async () => {
  await using at = await setting(memoryDevice(size), { connections: 4 });
  while (at.proxy.connections.length < 4) await new Promise((resolve) => setTimeout(resolve, 5));
  await contentOf(at.device, 0, 4096);
  for (let block = 0; block < 8; block += 1) await at.device.write(pattern(4096, block), block * 4096);
  at.proxy.connections[2]?.destroy();
  await assert.rejects(async () => at.device.flush(), LostWritesError);
});

test('what was flushed before a connection broke is not lost', async () => {
  await using at = await setting(memoryDevice(size), { connections: 4 });
  for (let block = 0; block < 8; block += 1) await at.device.write(pattern(4096, block), block * 4096);
  await at.device.flush();
  at.proxy.cut();
  await at.device.flush();
  assertEqualBytes(await contentOf(at.device, 4096, 4096), pattern(4096, 1), 'content');
  at.proxy.cut();
  await at.device.flush();
});

test('a server that stays away is given up', async () => {
  await using at = await setting(memoryDevice(size), { reconnectAttempts: 2 });
  at.proxy.target = '/nonexistent';
  at.proxy.cut();
  await assert.rejects(contentOf(at.device, 0, 10), { code: 'NOT_FOUND' });
});

test('a request that ends every connection it comes over is given up', async () => {
  await using at = await setting(memoryDevice(size), { retries: 3, reconnectAttempts: 3 });
  const cutting = setInterval(() => at.proxy.cut(), 1);
  try {
    await assert.rejects(async () => {
      for (;;) await contentOf(at.device, 0, size);
    });
  } finally {
    clearInterval(cutting);
  }
});

test('an export that is another one after the break is a CONFLICT', async () => {
  const others: [what: string, device: BlockDevice, message: RegExp][] = [
    ['its size', memoryDevice(size + 1), /1048577 bytes now, and had 1048576/],
    ['what may be done with it', memoryDevice(size, { readOnly: true }), /offers something else/],
  ];
  for (const [what, other, message] of others) {
    await using at = await setting(memoryDevice(size));
    const path = newPath();
    await using _server = await listen(other, path);
    at.proxy.target = path;
    at.proxy.cut();
    await assert.rejects(contentOf(at.device, 0, 10), { code: 'CONFLICT', message }, what);
  }
});
