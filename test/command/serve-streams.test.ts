import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { Duplex } from 'node:stream';
import { describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { commands, nbdErrors } from '../../src/protocol/nbd/constants.ts';
import { PlainNbdClient } from '../hostile/nbd-client.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { endAndAwait } from '../process/end-process.ts';
import { Workplace } from './varve.ts';

const run = promisify(execFile);
const varve = join(projectDirectory, 'varve');
/** The system's Python comes first: it is the one that has libnbd. */
const environment = { ...process.env, PATH: `/usr/bin:${process.env.PATH}` };

function addDisk(place: Workplace, name = 'disk.raw', seed = 1): string {
  const path = join(place.directory, name);
  fs.writeFileSync(path, pattern(65536, seed));
  return path;
}

test('serve --stdio serves one client on two pipes, and ends with it', async (t) => {
  const place = new Workplace(t);
  const path = addDisk(place);
  const child = spawn(varve, ['serve', '--stdio', path], { stdio: ['pipe', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const client = await new PlainNbdClient(Duplex.from({ readable: child.stdout!, writable: child.stdin! })).go();
  client.send({ command: commands.WRITE, offset: 512, payload: new Uint8Array(512).fill(7) });
  assert.equal((await client.answer())?.error, 0);
  client.send({ command: commands.FLUSH });
  assert.equal((await client.answer())?.error, 0);
  client.send({ command: commands.READ, offset: 511, length: 2 });
  assert.deepEqual((await client.answer(2))?.chunks[0]?.payload, Buffer.of(pattern(512, 1)[511]!, 7));
  client.send({ command: commands.DISC });
  assert.equal(await ended, 0);
  assert.equal(fs.readFileSync(path)[512], 7);
});

describe('nbdsh', { skip: skipWithout('nbdsh', 'nbdinfo') }, () => {
  test('runs serve --stdio on a socket pair', async (t) => {
    const path = addDisk(new Workplace(t));
    const script = `h.connect_command(["${varve}", "serve", "--stdio", "${path}"]); print(h.get_size()); h.shutdown()`;
    const { stdout } = await run('nbdsh', ['-c', script], { env: environment });
    assert.equal(stdout, '65536\n');
  });

  test('nbdinfo hands a socket over', async (t) => {
    const path = addDisk(new Workplace(t));
    const { stdout } = await run('nbdinfo', ['--size', '[', varve, 'serve', path, ']']);
    assert.equal(stdout, '65536\n');
  });
});

/** Listens on two Unix sockets, and becomes a program that is told of them, as a service manager does. */
const handingOver = `
import os, socket, sys
for fd, path in enumerate(sys.argv[1:3], 3):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen(5)
    os.dup2(listener.fileno(), 10 + fd)
for fd in (3, 4):
    os.dup2(10 + fd, fd, inheritable=True)
os.environ.update(LISTEN_FDS="2", LISTEN_PID=str(os.getpid()), LISTEN_FDNAMES="a:b")
os.execv(sys.argv[3], sys.argv[3:])
`;

describe('sockets that are handed over', { skip: skipWithout('python3') }, () => {
  test('are all listened on, and stay where they are', async (t) => {
    const place = new Workplace(t);
    const path = addDisk(place);
    const paths = ['a.sock', 'b.sock'].map((name) => join(place.directory, name));
    const child = spawn('python3', ['-c', handingOver, ...paths, varve, 'serve', path], { stdio: 'inherit' });
    const ended = new Promise((resolve) => child.once('exit', resolve));
    t.after(() => child.kill('SIGKILL'));
    for (const each of paths) {
      while (!fs.existsSync(each)) await sleep(10);
      const client = await new PlainNbdClient(each).go();
      assert.equal(client.size, 65536);
      client.stream.destroy();
    }
    assert.equal(await endAndAwait(child, ended, 'SIGTERM'), 0);
    assert.ok(paths.every((each) => fs.existsSync(each)));
  });
});

describe('systemd-socket-activate', { skip: skipWithout('systemd-socket-activate', 'nbdinfo') }, () => {
  test('starts serve when somebody connects', async (t) => {
    const place = new Workplace(t);
    const path = addDisk(place);
    const socket = join(place.directory, 'nbd.sock');
    const child = spawn('systemd-socket-activate', ['-l', socket, varve, 'serve', path], { stdio: 'ignore' });
    t.after(() => child.kill('SIGKILL'));
    while (!fs.existsSync(socket)) await sleep(10);
    const { stdout } = await run('nbdinfo', ['--size', `nbd+unix:///?socket=${socket}`]);
    assert.equal(stdout, '65536\n');
    child.kill('SIGTERM');
  });
});

test('serve says which ways of serving do not go together', async (t) => {
  const place = new Workplace(t);
  addDisk(place);
  for (const args of [
    ['--stdio', '--run', 'true'],
    ['--stdio', '--listen', '0'],
    ['--socket', 's', '--listen', '0'],
  ]) {
    assert.match(await place.fails(2, 'serve', './disk.raw', ...args), /^--\w+ and --\w+ do not go together/);
  }
  const script = 'LISTEN_FDS=1 LISTEN_PID=$$ exec "$0" serve ./disk.raw --listen 0';
  await assert.rejects(run('/bin/sh', ['-c', script, varve], { cwd: place.directory }), /leave out --listen/);
});

test('serve --block-size refuses what is not aligned, and disks that have no whole number of blocks', async (t) => {
  const place = new Workplace(t);
  const path = addDisk(place);
  const child = spawn(varve, ['serve', '--stdio', path, '--block-size', '4K,4K,32K'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  t.after(() => child.kill('SIGKILL'));
  const client = await new PlainNbdClient(Duplex.from({ readable: child.stdout!, writable: child.stdin! })).go({
    style: 'structured',
  });
  const errorOf = async (
    offset: number,
    length: number,
    command: number = commands.READ,
  ): Promise<number | undefined> => {
    client.send({ command, offset, length });
    return (await client.answer())?.error;
  };
  assert.deepEqual(
    [await errorOf(4096, 4096), await errorOf(0, 32768), await errorOf(0, 65536, commands.TRIM)],
    [0, 0, 0],
  );
  assert.deepEqual([await errorOf(512, 4096), await errorOf(0, 512)], [nbdErrors.EINVAL, nbdErrors.EINVAL]);
  assert.deepEqual(
    [await errorOf(0, 65536), await errorOf(1, 1, commands.TRIM)],
    [nbdErrors.EOVERFLOW, nbdErrors.EINVAL],
  );
  client.send({ command: commands.DISC });
  await ended;
  fs.truncateSync(path, 5000);
  assert.match(await place.fails(2, 'serve', './disk.raw', '--block-size', '4K'), /5000 bytes/);
  for (const sizes of ['3', '128K', '512,256', '4K,4K,1K', '1,2,3,4', 'x']) {
    assert.match(await place.fails(2, 'serve', './disk.raw', '--block-size', sizes), /cannot/);
  }
});
