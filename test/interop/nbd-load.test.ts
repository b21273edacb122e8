import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';
import { endProcess } from '../process/end-process.ts';
import { skipWithout } from './require-tool.ts';

const run = promisify(execFile);
const size = 32 * 2 ** 20;

function placeFor(t: TestContext): string {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** `varve serve`, and the address of its default export. */
async function serving(
  t: TestContext,
  directory: string,
  ...args: string[]
): Promise<{ child: ChildProcess; uri: string; socket: string }> {
  const socket = join(directory, 'nbd.sock');
  fs.rmSync(socket, { force: true });
  const child = spawn(join(projectDirectory, 'varve'), ['serve', '--socket', socket, ...args], {
    cwd: directory,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout!, 'data');
  return { child, socket, uri: `nbd+unix:///?socket=${socket}` };
}

async function makeDisk(directory: string, format: 'raw' | 'qcow2'): Promise<string> {
  await run('qemu-img', ['create', '-q', '-f', format, join(directory, `disk.${format}`), String(size)]);
  return `./disk.${format}`;
}

/** Random writes of mixed sizes, each with its checksum. */
function fio(uri: string, ...options: string[]): string[] {
  const load = ['--rw=randwrite', '--bssplit=512/20:4k/40:32k/30:256k/10', '--iodepth=16', '--size=24M'];
  return ['--name=mixed', '--ioengine=nbd', `--uri=${uri}`, ...load, '--verify=crc32c', '--randseed=77', ...options];
}

describe('fio', { skip: skipWithout('fio', 'qemu-img') }, () => {
  for (const format of ['raw', 'qcow2'] as const) {
    for (const options of [[], ['--isolate']]) {
      test(`finds what it wrote, mixed in sizes and order: ${format} ${options.join(' ')}`, async (t) => {
        const directory = placeFor(t);
        const { child, uri } = await serving(t, directory, await makeDisk(directory, format), ...options);
        await run('fio', fio(uri, '--do_verify=1', '--verify_fatal=1'), { cwd: directory });
        assert.deepEqual(await endProcess(child, 'SIGTERM'), [0, null]);
        await run('qemu-img', ['check', '-q', '-f', format, join(directory, `disk.${format}`)]).catch((error) => {
          if (format !== 'raw') throw error;
        });
      });
    }
  }

  test('finds all that had been acknowledged by a server that was killed', async (t) => {
    const directory = placeFor(t);
    const disk = await makeDisk(directory, 'raw');
    const first = await serving(t, directory, disk);
    const kill = `kill -9 ${first.child.pid}`;
    const killed = [
      '--loops=1000',
      '--do_verify=0',
      '--verify_state_save=1',
      '--trigger-timeout=1',
      `--trigger=${kill}`,
    ];
    const exited = once(first.child, 'exit');
    const said = await run('fio', fio(first.uri, ...killed), { cwd: directory }).catch(
      ({ stderr, stdout }) => stdout + stderr,
    );
    const how = await Promise.race([exited, sleep(10_000, ['it lives'], { ref: false })]);
    assert.deepEqual(how, [null, 'SIGKILL'], JSON.stringify(said));
    const second = await serving(t, directory, disk);
    const verify = ['--verify_state_load=1', '--verify_only=1', '--verify_fatal=1'];
    await run('fio', fio(second.uri, ...verify), { cwd: directory });
    fs.writeFileSync(join(directory, 'disk.raw'), Buffer.alloc(size, 1));
    await assert.rejects(run('fio', fio(second.uri, ...verify), { cwd: directory }), 'what is not there is noticed');
  });
});

const noFuse = fs.existsSync('/dev/fuse') ? false : 'there is no /dev/fuse';

describe('nbdfuse', { skip: skipWithout('nbdfuse', 'fusermount3', 'mke2fs', 'e2fsck', 'debugfs') || noFuse }, () => {
  test('makes a file of it that holds a file system', async (t) => {
    const directory = placeFor(t);
    const mounted = join(directory, 'mounted');
    fs.mkdirSync(mounted);
    fs.writeFileSync(join(directory, 'disk.raw'), Buffer.alloc(size));
    fs.writeFileSync(join(directory, 'greeting'), 'hello\n');
    const { uri } = await serving(t, directory, './disk.raw');
    const fuse = spawn('nbdfuse', [mounted, uri], { stdio: 'ignore' });
    const ended = once(fuse, 'exit');
    t.after(() => fuse.kill('SIGKILL'));
    const file = join(mounted, 'nbd');
    while (!fs.existsSync(file)) await sleep(10);
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', file]);
    await run('debugfs', ['-w', '-R', `write ${join(directory, 'greeting')} greeting`, file]);
    await run('fusermount3', ['-u', mounted]);
    await ended;
    await run('e2fsck', ['-fn', join(directory, 'disk.raw')]);
    const { stdout } = await run('debugfs', ['-R', 'cat greeting', join(directory, 'disk.raw')]);
    assert.equal(stdout, 'hello\n');
  });
});

describe('nbdinfo', { skip: skipWithout('nbdinfo', 'qemu-img', 'qemu-io') }, () => {
  test('asks for every ability, and says how much is data', async (t) => {
    const directory = placeFor(t);
    const disk = await makeDisk(directory, 'qcow2');
    await run('qemu-io', ['-c', 'write 1M 3M', join(directory, disk)]);
    const ask = async (uri: string, ...question: string[]): Promise<number> =>
      await run('nbdinfo', [...question, uri]).then(
        () => 0,
        ({ code }) => code,
      );
    const abilities = ['cache', 'connect', 'df', 'fast-zero', 'flush', 'fua', 'read', 'trim', 'write', 'zero'];
    {
      const { child, uri } = await serving(t, directory, disk);
      for (const ability of [...abilities, 'multi-conn']) assert.equal(await ask(uri, '--can', ability), 0, ability);
      assert.deepEqual([await ask(uri, '--is', 'read-only'), await ask(uri, '--is', 'tls')], [2, 2]);
      const { stdout } = await run('nbdinfo', ['--map', '--totals', '--json', uri]);
      const totals = JSON.parse(stdout).map(({ size: length, type }: Record<string, number>) => [type, length]);
      assert.deepEqual(
        new Map(totals),
        new Map([
          [0, 3 * 2 ** 20],
          [3, 29 * 2 ** 20],
        ]),
      );
      await endProcess(child, 'SIGTERM');
    }
    const { uri } = await serving(t, directory, disk, '--ephemeral');
    for (const ability of abilities) assert.equal(await ask(uri, '--can', ability), 0, ability);
    assert.equal(await ask(uri, '--can', 'multi-conn'), 2, 'each connection has an overlay of its own');
  });
});

describe('qemu-img', { skip: skipWithout('qemu-img', 'qemu-io') }, () => {
  test('maps a dirty bitmap', async (t) => {
    const directory = placeFor(t);
    const disk = await makeDisk(directory, 'qcow2');
    await run('qemu-img', ['bitmap', '--add', '-g', '64k', join(directory, disk), 'daily']);
    await run('qemu-io', ['-c', 'write 128k 64k', join(directory, disk)]);
    const { socket } = await serving(t, directory, disk, '--read-only');
    const image = `driver=nbd,server.type=unix,server.path=${socket},x-dirty-bitmap=qemu:dirty-bitmap:daily`;
    const { stdout } = await run('qemu-img', ['map', '--output=json', '--image-opts', image]);
    const clean = JSON.parse(stdout).map(({ data, length, start }: Record<string, unknown>) => [start, length, data]);
    // What is dirty counts as no data there. Source: QEMU docs/interop/nbd.txt and its qapi, x-dirty-bitmap.
    assert.deepEqual(clean, [
      [0, 131_072, true],
      [131_072, 65_536, false],
      [196_608, size - 196_608, true],
    ]);
  });
});
