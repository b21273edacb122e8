import assert from 'node:assert/strict';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { parseNbdUri } from '../../block/nbd/nbd-address.ts';
import { type NbdDeviceOptions, openNbdDevice } from '../../block/nbd/nbd-device.ts';
import { testBlockDevice } from '../../conformance/block-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../conformance/device-content.ts';
import { delayFilter } from '../../filter/delay.ts';
import { faultFilter } from '../../filter/fault.ts';
import { sharedEntry } from './nbd-export.ts';
import { listenNbd, type NbdServer } from './nbd-server.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));

let socketCount = 0;

function newPath(): string {
  socketCount += 1;
  return join(directory, `${socketCount}.sock`);
}

async function serve(device: BlockDevice, path: string): Promise<NbdServer> {
  const exports = {
    list: () => [{ name: '' }],
    find: (name: string) => (name === '' ? sharedEntry({ device }) : undefined),
  };
  return await listenNbd({ kind: 'unix', path }, { exports });
}

/** The disk of a server of its own, which ends with it. */
async function servedDevice(device: BlockDevice, options: NbdDeviceOptions = {}): Promise<BlockDevice> {
  const path = newPath();
  const server = await serve(device, path);
  const client = await openNbdDevice({ server: { kind: 'unix', path }, exportName: '' }, options);
  const dispose = async (): Promise<void> => {
    await client[Symbol.asyncDispose]();
    await server[Symbol.asyncDispose]();
  };
  return new Proxy(client, {
    get(target, key) {
      if (key === Symbol.asyncDispose) return dispose;
      const value = Reflect.get(target, key);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

testBlockDevice('a disk over NBD', (content) => servedDevice(memoryDevice(content)), { sparse: true });
testBlockDevice('a disk over NBD, by four connections', (content) =>
  servedDevice(delayFilter(memoryDevice(content)), { connections: 4 }),
);
testBlockDevice('a read-only disk over NBD', (content) => servedDevice(memoryDevice(content, { readOnly: true })), {
  writable: false,
});

test('a server that goes away and comes back is asked again', async () => {
  const disk = memoryDevice(pattern(100_000, 1));
  const path = newPath();
  let server = await serve(delayFilter(disk, { delayMs: 30 }), path);
  await using device = await openNbdDevice({ server: { kind: 'unix', path }, exportName: '' });
  assertEqualBytes(await contentOf(device), pattern(100_000, 1), 'before');
  await server.shutDown();
  const reading = contentOf(device);
  server = await serve(disk, path);
  assertEqualBytes(await reading, pattern(100_000, 1), 'after');
  await server.shutDown();
  const other = await serve(memoryDevice(5), path);
  await assert.rejects(contentOf(device), { code: 'CONFLICT', message: /another disk/ });
  await other.shutDown();
});

test('what the disk there refuses is refused here, and says why', async () => {
  const failing = faultFilter(memoryDevice(65536), { rules: [{ operations: ['write'], code: 'NO_SPACE' }] });
  await using device = await servedDevice(failing);
  await assert.rejects(async () => device.write(new Uint8Array(512), 0), { code: 'NO_SPACE', message: /ENOSPC/ });
  await assert.rejects(async () => device.read(new Uint8Array(512), 65536), { code: 'IO', message: /past the end/ });
});

test('an export that is not there, and a server that is none, are errors', async () => {
  const path = newPath();
  const server = { kind: 'unix', path } as const;
  await assert.rejects(openNbdDevice({ server, exportName: '' }), { code: 'NOT_FOUND' });
  const served = await serve(memoryDevice(512), path);
  await assert.rejects(openNbdDevice({ server, exportName: 'web' }), {
    code: 'NOT_FOUND',
    message: /^cannot open "web" of the NBD server at .*ERR_UNKNOWN/,
  });
  await served.shutDown();
  for (const [answer, code] of [
    ['HTTP/1.1 400 Bad Request\r\n\r\n', 'UNSUPPORTED'],
    ['', 'NOT_FOUND'],
  ] as const) {
    const other = net.createServer((socket) => socket.on('error', () => undefined).end(answer));
    await new Promise<void>((resolve) => other.listen(path, resolve));
    await assert.rejects(openNbdDevice({ server, exportName: '' }), { code });
    await new Promise((resolve) => other.close(resolve));
  }
});

test('addresses are taken apart', () => {
  const parsed = (uri: string): unknown => {
    const { exportName, server, tls } = parseNbdUri(uri);
    return [server.kind === 'unix' ? server.path : `${server.host} ${server.port}`, exportName, tls !== undefined];
  };
  assert.deepEqual(parsed('nbd://host'), ['host 10809', '', false]);
  assert.deepEqual(parsed('nbd://[::1]:1234/web%403'), ['::1 1234', 'web@3', false]);
  assert.deepEqual(parsed('nbds://host/a/b'), ['host 10809', 'a/b', true]);
  assert.deepEqual(parsed('nbd+unix:///web?socket=/run/a%20b.sock'), ['/run/a b.sock', 'web', false]);
  for (const uri of ['http://x', 'nbd://', 'nbd+unix:///x', 'nbd://user:secret@host/', 'nbd://host/%zz', 'nbd']) {
    assert.throws(() => parseNbdUri(uri), { code: 'INVALID' }, uri);
  }
});
