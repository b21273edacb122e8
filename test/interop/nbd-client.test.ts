import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { LostWritesError } from '../../src/block/nbd/lost-writes-error.ts';
import { type NbdDeviceOptions, openNbdDevice } from '../../src/block/nbd/nbd-device.ts';
import { testBlockDevice } from '../../src/conformance/block-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { endProcess } from '../process/end-process.ts';
import { skipWithout } from './require-tool.ts';

const directory = await mkdtemp(join(tmpdir(), 'varve-'));
after(() => rm(directory, { recursive: true }));
let count = 0;

function newPath(ending: string): string {
  count += 1;
  return join(directory, `${count}.${ending}`);
}

interface Server extends AsyncDisposable {
  readonly child: ChildProcess;
  open(options?: NbdDeviceOptions): Promise<BlockDevice>;
}

/** Starts a server that listens on the socket it is told, and waits until it does. */
async function start(socket: string, command: readonly string[]): Promise<Server> {
  await rm(socket, { force: true });
  const [program = '', ...args] = command;
  const child = spawn(program, args, { stdio: 'ignore' });
  for (let attempt = 0; !(await answers(socket)); attempt += 1) {
    if (child.exitCode !== null || attempt > 200) throw new Error(`${command.join(' ')}: did not come up`);
    await sleep(20);
  }
  return {
    child,
    open: (options) => openNbdDevice({ server: { kind: 'unix', path: socket }, exportName: '' }, options),
    async [Symbol.asyncDispose]() {
      // SIGTERM is put off by nbdkit until its clients have gone.
      await endProcess(child, 'SIGKILL');
    },
  };
}

async function answers(path: string): Promise<boolean> {
  const socket = net.connect({ path });
  const isThere = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isThere;
}

const nbdkit = (socket: string, ...rest: string[]): string[] => ['nbdkit', '-f', '-U', socket, ...rest];

async function fileOf(content: Uint8Array): Promise<string> {
  const path = newPath('raw');
  await writeFile(path, content);
  return path;
}

/** A device whose server ends with it. */
async function served(server: Server, options?: NbdDeviceOptions): Promise<BlockDevice> {
  const device = await server.open(options);
  const close = device[Symbol.asyncDispose].bind(device);
  device[Symbol.asyncDispose] = async () => {
    await close();
    await server[Symbol.asyncDispose]();
  };
  return device;
}

const conformance = { sizes: [140_288], runs: 3 };

describe('nbdkit as the server', { skip: skipWithout('nbdkit') }, () => {
  testBlockDevice(
    'a file of nbdkit, by four connections',
    async (content) => {
      const socket = newPath('sock');
      return served(await start(socket, nbdkit(socket, 'file', await fileOf(content))), { connections: 4 });
    },
    conformance,
  );

  testBlockDevice(
    'a file of nbdkit that takes whole blocks only',
    async (content) => {
      const socket = newPath('sock');
      const policy = ['blocksize-minimum=512', 'blocksize-preferred=4096', 'blocksize-maximum=65536'];
      const filter = ['--filter=blocksize-policy', 'file', await fileOf(content), ...policy];
      return served(await start(socket, nbdkit(socket, ...filter, 'blocksize-error-policy=error')));
    },
    conformance,
  );

  test('an error is that of one request, and is not asked again', async () => {
    const socket = newPath('sock');
    const flag = newPath('flag');
    const errors = ['error-pread=EIO', 'error-pread-rate=100%', `error-file=${flag}`];
    await using server = await start(socket, nbdkit(socket, '--filter=error', 'memory', '1M', ...errors));
    await using device = await server.open();
    await writeFile(flag, '');
    await assert.rejects(contentOf(device, 0, 512), { code: 'IO', message: /EIO/ });
    await rm(flag);
    assertEqualBytes(await contentOf(device, 0, 512), new Uint8Array(512), 'later');
  });

  test('slow requests are answered whatever the order', async () => {
    const socket = newPath('sock');
    await using server = await start(socket, nbdkit(socket, '--filter=delay', 'pattern', '16M', 'rdelay=50ms'));
    await using device = await server.open({ connections: 2 });
    const pieces = await Promise.all(Array.from({ length: 256 }, (_, index) => contentOf(device, index * 4096, 4096)));
    for (const [index, piece] of pieces.entries()) {
      assert.equal(new DataView(piece.buffer, piece.byteOffset).getBigUint64(0), BigInt(index * 4096));
    }
  });

  test('a server that ends with its last client is not waited for', async () => {
    const socket = newPath('sock');
    await using server = await start(socket, nbdkit(socket, 'pattern', '1M'));
    await using device = await server.open({ reconnectAttempts: 1 });
    await contentOf(device, 0, 512);
    await endProcess(server.child);
    await assert.rejects(contentOf(device, 0, 512), { code: 'NOT_FOUND' });
  });

  test('killed and started again, it goes on; what it may have lost, the flush tells', async () => {
    const socket = newPath('sock');
    const content = pattern(2 ** 22, 1);
    const command = nbdkit(socket, 'file', await fileOf(content));
    const first = await start(socket, command);
    await using device = await first.open({ connections: 4 });
    await device.write(pattern(65536, 2), 65536);
    const reading = Promise.all(Array.from({ length: 64 }, (_, index) => contentOf(device, index * 65536, 65536)));
    await endProcess(first.child);
    await using _second = await start(socket, command);
    content.set(pattern(65536, 2), 65536);
    for (const [index, bytes] of (await reading).entries()) {
      assertEqualBytes(bytes, content.subarray(index * 65536, (index + 1) * 65536), `piece ${index}`);
    }
    await assert.rejects(async () => device.flush(), LostWritesError);
    await device.write(pattern(65536, 2), 65536);
    await device.flush();
  });
});

describe('qemu-nbd as the server', { skip: skipWithout('qemu-nbd') }, () => {
  testBlockDevice(
    'a file of qemu-nbd',
    async (content) => {
      const socket = newPath('sock');
      const options = ['-t', '-e', '8', '-f', 'raw', '--discard=unmap', '--detect-zeroes=off'];
      return served(await start(socket, ['qemu-nbd', ...options, '-k', socket, await fileOf(content)]), {
        connections: 4,
      });
    },
    conformance,
  );
});
