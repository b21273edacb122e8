import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { assertEqualBytes, pattern } from '../../src/conformance/device-content.ts';
import { hexOf } from '../../src/store/chunk.ts';
import { openStore } from '../../src/store/store.ts';
import { endProcess } from '../process/end-process.ts';
import { assertClean, importDisk, temporaryFolder } from '../store/temporary-store.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const program = fileURLToPath(new URL('serve-machines.ts', import.meta.url));
const size = 8 * 2 ** 20;
const [alice, bob, carol] = ['52-54-00-00-00-01', '52-54-00-00-00-02', '52-54-00-00-00-03'] as const;

/** A server that can be killed, and what it answers. */
class MachineServer {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly socket: string;
  uri = '';

  private constructor(child: ChildProcess, socket: string) {
    this.#child = child;
    this.socket = socket;
    this.#lines = createInterface(child.stdout!)[Symbol.asyncIterator]();
  }

  static async start(t: TestContext, store: string, socket: string): Promise<MachineServer> {
    const child = spawn(process.execPath, [program, store, socket], { stdio: ['pipe', 'pipe', 'inherit'] });
    t.after(() => child.kill('SIGKILL'));
    const server = new MachineServer(child, socket);
    server.uri = (await server.#next()).uri as string;
    return server;
  }

  async ask(message: object): Promise<Record<string, unknown>> {
    this.#child.stdin!.write(`${JSON.stringify(message)}\n`);
    return await this.#next();
  }

  async begin(mac: string, overlay: 'keep' | 'discard'): Promise<Record<string, unknown>> {
    return await this.ask({ mac, entry: 'web', image: 'web', overlay });
  }

  async kill(): Promise<void> {
    await endProcess(this.#child);
    await rm(this.socket, { force: true });
  }

  async #next(): Promise<Record<string, unknown>> {
    const { value } = await this.#lines.next();
    assert.ok(value, 'the server answers');
    return JSON.parse(value);
  }
}

function nbd(server: MachineServer, name: string): string {
  return `nbd+unix:///${name}?socket=${server.socket}`;
}

/** Lets QEMU do what each line says, and fail where a byte is another one. */
async function qemuIo(server: MachineServer, name: string, ...lines: string[]): Promise<void> {
  const commands = lines.flatMap((line) => ['-c', line]);
  const { stdout } = await run('qemu-io', ['-f', 'raw', ...commands, nbd(server, name)]);
  assert.doesNotMatch(stdout, /failed|error/i);
}

async function room(t: TestContext) {
  const folder = await temporaryFolder();
  t.after(() => folder[Symbol.asyncDispose]());
  const [path, socket] = [join(folder.path, 'store'), join(folder.path, 'nbd.sock')];
  await using store = await openStore(path, { create: true });
  const content = new Uint8Array(pattern(size, 9));
  const { root } = await importDisk(store, 'web', content);
  return { folder, path, content, root: hexOf(root), start: () => MachineServer.start(t, path, socket) };
}

describe('machines whose server is killed', { skip: skipWithout('qemu-io', 'nbdcopy', 'nbdinfo') }, () => {
  test('find what they had flushed, kept or not, and what is not flushed harms nobody', async (t) => {
    const { content, folder, path, root, start } = await room(t);
    let server = await start();
    await server.begin(alice, 'keep');
    await server.begin(bob, 'discard');
    await Promise.all([
      qemuIo(server, alice, 'write -P 7 64k 300k', 'flush'),
      qemuIo(server, bob, 'write -P 9 100k 1M', 'write -z 4M 64k', 'flush'),
    ]);
    const writes = ['write -P 3 512 512', 'flush', 'write -P 4 6M 512', 'sleep 100000'].flatMap((line) => ['-c', line]);
    const open = spawn('qemu-io', ['-f', 'raw', ...writes, nbd(server, alice)], { stdio: 'ignore' });
    t.after(() => open.kill());
    // All connections of a machine share its disk.
    for (let isWritten = false; !isWritten; ) {
      const { stdout } = await run('qemu-io', ['-f', 'raw', '-c', 'read -P 4 6M 512', nbd(server, alice)]).catch(
        (error) => error,
      );
      isWritten = !/failed|error/i.test(stdout);
    }
    await server.kill();
    open.kill();
    server = await start();
    await qemuIo(server, alice, 'read -P 7 64k 300k', 'read -P 3 512 512');
    await qemuIo(server, bob, 'read -P 9 100k 1M', 'read -P 0 4M 64k');
    const copy = join(folder.path, 'bob.raw');
    await run('nbdcopy', [nbd(server, bob), copy]);
    const expected = content.slice();
    expected.fill(9, 100 * 1024, 100 * 1024 + 2 ** 20).fill(0, 4 * 2 ** 20, 4 * 2 ** 20 + 65536);
    assertEqualBytes(await readFile(copy), expected, 'the disk of bob');
    // Each begins anew: what is to be discarded is gone, what is kept is there.
    assert.equal((await server.begin(bob, 'discard')).isKept, false);
    assert.equal((await server.begin(alice, 'keep')).isKept, true);
    await run('nbdcopy', [nbd(server, bob), copy]);
    assertEqualBytes(await readFile(copy), content, 'the disk of bob');
    await qemuIo(server, alice, 'read -P 7 64k 300k');
    await server.kill();
    await using store = await openStore(path);
    assert.equal(hexOf(store.images.resolve('web').root), root);
    await assertClean(store);
  });

  test('are each an export and a target, and see at their next boot what another committed while it ran', async (t) => {
    const { folder, path, start } = await room(t);
    const server = await start();
    await server.begin(alice, 'discard');
    await server.begin(bob, 'discard');
    assert.equal((await run('nbdinfo', ['--size', nbd(server, alice)])).stdout.trim(), String(size));
    const { exports } = JSON.parse((await run('nbdinfo', ['--list', '--json', nbd(server, '')])).stdout);
    assert.deepEqual(
      exports.map((each: Record<string, string>) => [each['export-name'], each.description]),
      [
        [alice, `web@1 of ${alice}`],
        [bob, `web@1 of ${bob}`],
      ],
    );
    const writing = run('qemu-io', [
      '-f',
      'raw',
      '-c',
      'write -P 7 64k 64k',
      '-c',
      'write -P 5 1M 2M',
      nbd(server, alice),
    ]);
    await writing;
    const reading = spawn('qemu-io', ['-f', 'raw', nbd(server, alice)], { stdio: ['pipe', 'pipe', 'ignore'] });
    const { snapshot } = await server.ask({ machine: alice, image: 'web', message: 'while it runs' });
    assert.equal((snapshot as Record<string, unknown>).number, 2);
    const ended = once(reading, 'exit');
    reading.stdin.end('read -P 7 64k 64k\nwrite -P 8 64k 64k\nread -P 8 64k 64k\n');
    assert.deepEqual(await ended, [0, null]);
    assert.equal((await server.begin(carol, 'discard')).reference, 'web@2');
    await qemuIo(server, carol, 'read -P 7 64k 64k', 'read -P 5 1M 2M');
    await qemuIo(server, alice, 'read -P 8 64k 64k');
    const copy = join(folder.path, 'carol.raw');
    await run('nbdcopy', [nbd(server, bob), nbd(server, carol)]);
    await run('nbdcopy', [nbd(server, carol), copy]);
    assertEqualBytes(await readFile(copy), pattern(size, 9), 'what was copied from bob to carol');
    await server.kill();
    await using store = await openStore(path);
    await assertClean(store);
  });

  test('are cut off from their old disks by the next boot', async (t) => {
    const { start } = await room(t);
    const server = await start();
    await server.begin(alice, 'keep');
    const commands = ['-c', 'sleep 100000', '-c', 'read 0 512'];
    const old = spawn('qemu-io', ['-f', 'raw', ...commands, nbd(server, alice)], { stdio: 'ignore' });
    t.after(() => old.kill());
    while ((await server.ask({})).isConnected !== true);
    await server.begin(alice, 'keep');
    // QEMU sleeps, and would stay.
    while ((await server.ask({})).clientCount !== 0);
    await qemuIo(server, alice, 'write -P 1 0 512', 'read -P 1 0 512');
  });

  const withoutInitiator = skipWithout('iscsi-ls', 'iscsi-readcapacity16');
  test('come back over iSCSI, too', { skip: withoutInitiator }, async (t) => {
    const { start } = await room(t);
    let server = await start();
    await server.begin(alice, 'keep');
    const capacity = () => run('iscsi-readcapacity16', [server.uri.replace('name', alice)]);
    assert.match((await capacity()).stdout, new RegExp(`Total size:${size}|${size / 512 - 1}`));
    const { stdout } = await run('iscsi-ls', [new URL('/', server.uri).href.replace(/\/$/, '')]);
    assert.match(stdout, new RegExp(`iqn\\S+:${alice}`));
    await server.kill();
    server = await start();
    await capacity();
  });
});
