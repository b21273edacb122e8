import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseNbdUri } from '../../src/block/nbd/nbd-address.ts';
import { openNbdDevice } from '../../src/block/nbd/nbd-device.ts';
import { assertEqualBytes, contentOf, pattern } from '../../src/conformance/device-content.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { endAndAwait } from '../process/end-process.ts';
import { untilGone } from '../process/until-gone.ts';
import { type Outcome, Workplace } from './varve.ts';

/** A server that runs while it is tested; `ended` is how it ended. */
async function serving(
  t: TestContext,
  place: Workplace,
  ...args: string[]
): Promise<{ uris: string[]; child: ChildProcess; ended: Promise<Outcome> }> {
  const started = Promise.withResolvers<ChildProcess>();
  const ended = place.run(['serve', ...args], { started: started.resolve });
  const child = await started.promise;
  // Where a test fails, too.
  t.after(() => child.kill('SIGKILL'));
  const uris = await new Promise<string[]>((resolve, reject) => {
    let printed = '';
    child.stdout?.on('data', (chunk) => {
      printed += chunk;
      if (printed.endsWith('\n'))
        resolve(
          printed
            .trim()
            .split('\n')
            .map((line) => line.replace('serving ', '')),
        );
    });
    void ended.then(({ stderr }) => reject(new Error(stderr)));
  });
  return { uris, child, ended };
}

async function stopped({ child, ended }: { child: ChildProcess; ended: Promise<Outcome> }): Promise<void> {
  await endAndAwait(child, ended, 'SIGTERM');
}

test('serve takes the place of a server that was killed, and of no other', async (t) => {
  const place = new Workplace(t);
  fs.writeFileSync(join(place.directory, 'disk.raw'), pattern(300_000, 1));
  const killed = await serving(t, place, './disk.raw', '--read-only', '--socket', 'nbd.sock');
  await endAndAwait(killed.child, killed.ended);
  assert.ok(fs.existsSync(join(place.directory, 'nbd.sock')));
  const server = await serving(t, place, './disk.raw', '--read-only', '--socket', 'nbd.sock');
  const other = await place.run(['serve', './disk.raw', '--read-only', '--socket', 'nbd.sock']);
  assert.equal(other.status, 4, other.stderr);
  await stopped(server);
});

test('serve exports a disk file, which is read and written in place, until it is stopped', async (t) => {
  const place = new Workplace(t);
  const path = join(place.directory, 'disk.raw');
  fs.writeFileSync(path, pattern(300_000, 1));
  const server = await serving(t, place, './disk.raw', '--socket', 'nbd.sock');
  assert.deepEqual(server.uris, [`nbd+unix:///disk.raw?socket=${join(place.directory, 'nbd.sock')}`]);
  {
    await using device = await openNbdDevice(parseNbdUri(server.uris[0]!));
    await device.write(pattern(1000, 2), 5000);
    await device.flush();
    assertEqualBytes(await contentOf(device, 5000, 1000), pattern(1000, 2), 'what was written');
  }
  await stopped(server);
  assertEqualBytes(fs.readFileSync(path).subarray(5000, 6000), pattern(1000, 2), 'the file');
  assert.equal(fs.existsSync(join(place.directory, 'nbd.sock')), false);
});

test('serve --ephemeral gives each client a disk of its own, and the snapshot stays as it is', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const server = await serving(t, place, 'web', '--ephemeral', '--socket', 'nbd.sock');
  const address = parseNbdUri(server.uris[0]!);
  await using first = await openNbdDevice(address);
  await using second = await openNbdDevice(address);
  await first.write(pattern(4096, 3), 0);
  assertEqualBytes(await contentOf(first, 0, 4096), pattern(4096, 3), 'who wrote');
  assertEqualBytes(await contentOf(second, 0, 4096), new Uint8Array(4096).fill(1), 'who did not');
  await stopped(server);
  await place.varve('verify');
});

test('serve --all exports images, snapshots, tags and contents, to be read', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  await place.addImage('web', { fill: 2 });
  await place.varve('tag', 'web@1', 'old');
  const { root } = await place.json('info', 'web@1');
  const server = await serving(t, place, '--all', '--listen', '0');
  const { server: where } = parseNbdUri(server.uris[0]!);
  const firstByte = async (exportName: string): Promise<number | undefined> => {
    await using device = await openNbdDevice({ server: where, exportName });
    assert.equal(device.supports.write, false);
    return (await contentOf(device, 0, 1))[0];
  };
  const names = ['web', 'web@1', 'web@2', 'web@old', `blake3:${root}`];
  assert.deepEqual(await Promise.all(names.map(firstByte)), [2, 1, 2, 1, 1]);
  await assert.rejects(firstByte('nobody'), { code: 'NOT_FOUND' });
  await stopped(server);
});

test('serve of a snapshot says that it is to be read', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const server = await serving(t, place, 'web@1', '--listen', '0');
  await using device = await openNbdDevice(parseNbdUri(server.uris[0]!));
  assert.equal(device.supports.write, false);
  assert.match(
    (await endAndAwait(server.child, server.ended, 'SIGTERM')).stderr,
    /^varve: web@1 is served to be read; with --ephemeral/,
  );
});

test('serve refuses what cannot be served', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  assert.match(await place.fails(2, 'serve'), /nothing to serve/);
  assert.match(await place.fails(3, 'serve', 'nobody'), /nobody/);
  assert.match(await place.fails(2, 'serve', 'web', '--listen', 'x'), /give a port/);
  assert.match(await place.fails(2, 'serve', 'web', '--run', 'true', '--listen', '1'), /leave out all but one/);
});

describe('serve --run', { skip: skipWithout('nbdinfo') }, () => {
  test('runs a command with the disks at hand, and ends as it does', async (t) => {
    const place = new Workplace(t);
    await place.addImage('web');
    await place.addImage('db', { size: 65536 });
    const script =
      'nbdinfo --size "$nbd"; nbdinfo --size "$nbd2"; echo "$exportname $exportname2"; echo "$unixsocket"; exit 7';
    const { status, stdout } = await place.run(['serve', 'web', 'db', '--run', script]);
    const [size1, size2, names, socket = ''] = stdout.trim().split('\n');
    assert.deepEqual([status, size1, size2, names], [7, '1048576', '65536', 'web db']);
    assert.equal(fs.existsSync(socket), false);
  });

  test('nbdinfo maps what changed since a snapshot', async (t) => {
    const place = new Workplace(t);
    await place.addImage('web', { chunks: [0, 5] });
    await place.addImage('web', { chunks: [0, 5, 6, 9], fill: 1 });
    const script = 'nbdinfo --map=qemu:dirty-bitmap:since-1 --json "$nbd"';
    const { stdout } = await place.run(['serve', 'web@2', '--run', script]);
    const runs = JSON.parse(stdout).map(({ offset, length, type }: Record<string, number>) => [offset, length, type]);
    assert.deepEqual(runs, [
      [0, 6 * 65536, 0],
      [6 * 65536, 65536, 1],
      [7 * 65536, 2 * 65536, 0],
      [9 * 65536, 65536, 1],
      [10 * 65536, 6 * 65536, 0],
    ]);
  });

  test('nbdinfo maps a dirty bitmap of a qcow2 image', { skip: skipWithout('qemu-img', 'qemu-io') }, async (t) => {
    const place = new Workplace(t);
    const path = join(place.directory, 'disk.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', path, '1M']);
    execFileSync('qemu-img', ['bitmap', '--add', '-g', '64k', path, 'daily']);
    execFileSync('qemu-io', ['-c', 'write 128k 64k', path]);
    const script = 'nbdinfo --map=qemu:dirty-bitmap:daily --json "$nbd"';
    const { stdout, stderr } = await place.run(['serve', './disk.qcow2', '--read-only', '--run', script]);
    const runs = JSON.parse(stdout).map(({ offset, length, type }: Record<string, number>) => [offset, length, type]);
    assert.deepEqual(
      [runs, stderr],
      [
        [
          [0, 131072, 0],
          [131072, 65536, 1],
          [196608, 851968, 0],
        ],
        '',
      ],
    );
  });

  test('killed by SIGKILL it leaves neither the command nor the socket', async (t) => {
    const place = new Workplace(t);
    await place.addImage('web');
    const script = 'sleep 1000 & echo $$ $! "$unixsocket" > started.part && mv started.part started; wait';
    const started = join(place.directory, 'started');
    const running = place.run(['serve', 'web', '--run', script], { started: (child) => void killOnceStarted(child) });
    async function killOnceStarted(child: ChildProcess): Promise<void> {
      while (!fs.existsSync(started)) await sleep(10);
      child.kill('SIGKILL');
    }
    assert.equal((await running).signal, 'SIGKILL');
    const [shell, child, socket = ''] = fs.readFileSync(started, 'utf8').trim().split(' ');
    await untilGone(`/proc/${shell}`, `/proc/${child}`, socket);
  });
});
