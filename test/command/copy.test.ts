import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';
import { pattern } from '../../src/conformance/device-content.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { endProcess } from '../process/end-process.ts';
import { Workplace } from './varve.ts';

const run = promisify(execFile);
const varve = join(projectDirectory, 'varve');

function someDisk(place: Workplace, name: string, size = 4 * 2 ** 20): Buffer {
  const content = Buffer.alloc(size);
  content.set(pattern(size / 4, 1), size / 8);
  content.set(pattern(100, 2), size - 100);
  fs.writeFileSync(join(place.directory, name), content);
  return content;
}

test('a disk is copied into new files, over files, and to and from the store', async (t) => {
  const place = new Workplace(t);
  const content = someDisk(place, 'disk.raw');
  const file = (name: string): Buffer => fs.readFileSync(join(place.directory, name));
  assert.match(
    await place.varve('copy', './disk.raw', 'new.raw'),
    /^\.\/disk\.raw copied to new\.raw: 4 MiB, 1\.0.* of it data$/,
  );
  assert.deepEqual(file('new.raw'), content);
  assert.ok(fs.statSync(join(place.directory, 'new.raw')).blocks * 512 < content.length / 2, 'zeros take no space');
  await place.varve('copy', 'new.raw', './new.qcow2', '--verify');
  assert.equal(await place.varve('compare', 'new.qcow2', 'disk.raw'), 'identical');
  await place.varve('import', 'disk.raw', 'web');
  fs.writeFileSync(join(place.directory, 'full.raw'), Buffer.alloc(content.length + 512, 7));
  const result = await place.json('copy', 'web', 'full.raw', '--to', 'raw', '--verify');
  const { dataLength, size, source, target, verified } = result;
  assert.deepEqual([size, source, target, verified], [content.length, 'web@1', 'full.raw', true]);
  assert.ok(dataLength >= content.length / 4);
  assert.deepEqual(file('full.raw'), Buffer.concat([content, Buffer.alloc(512, 7)]), 'what is behind it stays');
  await place.varve('copy', 'disk.raw', 'allocated.raw', '--allocated');
  assert.ok(fs.statSync(join(place.directory, 'allocated.raw')).blocks * 512 >= content.length);
});

test('what cannot be copied ends in one line, and leaves nothing', async (t) => {
  const place = new Workplace(t);
  someDisk(place, 'disk.raw');
  await place.varve('import', 'disk.raw', 'web');
  fs.writeFileSync(join(place.directory, 'small.raw'), 'small');
  const before = fs.readdirSync(place.directory).sort();
  const cases: [status: number, message: RegExp, ...args: string[]][] = [
    [2, /cannot copy to other, an image of the store: write varve import SOURCE other/, 'disk.raw', 'other'],
    [8, /cannot copy disk\.raw to small\.raw: it has 5 B, and the disk 4 MiB/, 'disk.raw', 'small.raw'],
    [11, /cannot copy into a new vmdk file; varve convert makes those/, 'disk.raw', 'new.vmdk'],
    [6, /it/, 'disk.raw', 'disk.raw'],
    [7, /files over HTTP are only read/, 'disk.raw', 'https://host/x'],
    [3, /nobody listens there/, 'nbd://127.0.0.1:1', 'new.raw'],
    [3, /nobody listens there/, 'disk.raw', 'nbd://127.0.0.1:1'],
    [2, /varve import - NAME/, '-', 'new.raw'],
    [2, /varve export DISK -/, 'web', '-'],
    [2, /do not go together/, 'web', 'new.raw', '--allocated', '--destination-is-zero'],
    [2, /--request-size is a power of two/, 'web', 'new.raw', '--request-size', '5000'],
    [2, /--sparse is 0, or a power of two/, 'web', 'new.raw', '--sparse', '100'],
  ];
  for (const [status, message, ...args] of cases) {
    assert.match(await place.fails(status, 'copy', ...args), message, args.join(' '));
  }
  assert.deepEqual(fs.readdirSync(place.directory).sort(), before);
});

describe('nbdkit', { skip: skipWithout('nbdkit') }, () => {
  const ways = [
    [],
    ['--connections=1', '--requests=1'],
    ['--no-extents', '--request-size=4096', '--sparse=0'],
    ['--allocated', '--verify'],
  ];
  for (const options of ways) {
    test(`a sparse random disk comes and goes whole: ${options.join(' ')}`, async (t) => {
      const place = new Workplace(t);
      const copy = (from: string, to: string): string => `${varve} copy ${options.join(' ')} ${from} ${to}`;
      const script = `${copy('"$uri"', './disk.raw')} && ${copy('./disk.raw', '"$uri"')}`;
      const random = ['sparse-random', 'size=32M', 'seed=42', 'percent=30', 'runlength=100000'];
      await run('nbdkit', ['-U', '-', ...random, '--run', script], { cwd: place.directory });
    });
  }

  test('copies between servers that answer late, and want whole blocks', async (t) => {
    const place = new Workplace(t);
    const late = ['--filter=delay', 'sparse-random', 'size=5M', 'seed=7', 'percent=50', 'rdelay=20ms'];
    const policy = ['--filter=blocksize-policy', 'memory', '6M', 'blocksize-minimum=4096', 'blocksize-maximum=65536'];
    const inner = `nbdkit -U - ${policy.join(' ')} blocksize-error-policy=error --run '
      ${varve} copy "$source" "$uri" --sparse 512 --verify && ${varve} copy "$uri" ./disk.raw'`;
    const script = `export source="$uri"; ${inner} && truncate -s 5M disk.raw && ${varve} copy disk.raw "$uri"`;
    await run('nbdkit', ['-U', '-', ...late, '--run', script], { cwd: place.directory });
  });

  test('a server that fails ends a copy in one line', async (t) => {
    const place = new Workplace(t);
    const script = `${varve} copy "$uri" ./disk.raw`;
    const failing = ['--filter=error', 'memory', '4M', 'error-pread=EIO', 'error-pread-rate=100%'];
    // Data is read, not only asked for its extents.
    await assert.rejects(
      run('nbdkit', ['-U', '-', ...failing, '--run', `${script} --no-extents`], { cwd: place.directory }),
      ({ stderr }: Error & { stderr: string }) => /^varve: cannot read .*: the NBD server answers EIO$/m.test(stderr),
    );
    assert.deepEqual(fs.readdirSync(place.directory), []);
  });

  test('a server that ends with its last client ends with the copy', async (t) => {
    const place = new Workplace(t);
    const content = someDisk(place, 'source.raw');
    const server = new Server(t, place, 'source', 'rdelay=1ms', '--filter=exitlast');
    await server.start();
    await place.varve('copy', server.uri, './new.raw');
    await server.ended();
    assert.ok(fs.readFileSync(join(place.directory, 'new.raw')).equals(content));
  });

  test('killed and started again in the middle, source and target, and the copy is whole', async (t) => {
    const place = new Workplace(t);
    const content = someDisk(place, 'source.raw', 64 * 2 ** 20);
    fs.writeFileSync(join(place.directory, 'target.raw'), Buffer.alloc(content.length, 9));
    for (const killed of ['source', 'target'] as const) {
      const servers = {
        source: new Server(t, place, 'source', 'rdelay=5ms'),
        target: new Server(t, place, 'target', 'wdelay=5ms'),
      };
      await Promise.all([servers.source.start(), servers.target.start()]);
      const options = ['--request-size=64K', '--requests=8', '--verify', '--no-extents'];
      const copying = place.run(['copy', servers.source.uri, servers.target.uri, ...options]);
      await sleep(500);
      await servers[killed].kill();
      await servers[killed].start();
      const { status, stderr } = await copying;
      assert.equal(status, 0, stderr);
      assert.ok(fs.readFileSync(join(place.directory, 'target.raw')).equals(content), killed);
      await Promise.all([servers.source.kill(), servers.target.kill()]);
    }
  });

  test('Ctrl-C ends a copy from a server that is silent, and leaves no file', async (t) => {
    const place = new Workplace(t);
    someDisk(place, 'source.raw');
    const server = new Server(t, place, 'source', 'rdelay=60');
    await server.start();
    let child: ChildProcess | undefined;
    const copying = place.run(['copy', server.uri, './new.raw', '--no-extents'], {
      started: (started) => {
        child = started;
      },
    });
    while (!fs.readdirSync(place.directory).some((name) => name.includes('.part-'))) await sleep(20);
    await sleep(200);
    child?.kill('SIGINT');
    const { status, stderr } = await copying;
    assert.deepEqual([status, stderr], [130, 'varve: stopped by Ctrl-C\n']);
    await server.kill();
    assert.deepEqual(
      fs.readdirSync(place.directory).filter((name) => name.includes('new')),
      [],
    );
  });
});

/** nbdkit, which serves a file of a workplace, and can be killed and started again. */
class Server {
  readonly uri: string;
  readonly #socket: string;
  readonly #command: string[];
  #child: ChildProcess | undefined;

  constructor(t: TestContext, place: Workplace, name: string, delay: string, ...filters: string[]) {
    this.#socket = join(place.directory, `${name}.sock`);
    this.uri = `nbd+unix:///?socket=${this.#socket}`;
    const file = join(place.directory, `${name}.raw`);
    this.#command = ['-f', '-U', this.#socket, ...filters, '--filter=delay', 'file', file, delay];
    t.after(() => this.kill());
  }

  async start(): Promise<void> {
    fs.rmSync(this.#socket, { force: true });
    this.#child = spawn('nbdkit', this.#command, { stdio: 'ignore' });
    while (!fs.existsSync(this.#socket)) await sleep(10);
  }

  /** Waits until it has ended by itself. */
  async ended(): Promise<void> {
    const child = this.#child;
    if (child?.exitCode === null && child.signalCode === null) await once(child, 'exit');
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child !== undefined) await endProcess(child);
  }
}
