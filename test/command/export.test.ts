import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { projectDirectory } from '../../scripts/project.ts';
import type { BlockDevice } from '../../src/block/block-device.ts';
import { assertEqualBytes, pattern } from '../../src/conformance/device-content.ts';
import { ingestDevice } from '../../src/store/ingest-device.ts';
import { openStore } from '../../src/store/store.ts';
import { mountTmpfs } from './tmpfs.ts';
import { Workplace } from './varve.ts';

const content = Buffer.concat([pattern(200_000, 1), Buffer.alloc(5_000_000), pattern(100_224, 2)]);

/** A workplace whose store has the image web, of `content`. */
async function workplace(t: test.TestContext): Promise<Workplace> {
  const place = new Workplace(t);
  fs.writeFileSync(join(place.directory, 'source.raw'), content);
  await place.varve('import', 'source.raw', 'web');
  return place;
}

/** Puts an image of that size into the store which holds one chunk over and over: large to export, small to keep. */
async function addLargeImage(place: Workplace, name: string, size: number): Promise<void> {
  await using store = await openStore(place.store);
  await using session = store.beginIngest(name);
  const disk = {
    size,
    extents: () => [{ offset: 0, length: size, kind: 'data' }],
    read: (target: Uint8Array) => void target.fill(7),
  };
  const large = await ingestDevice(session, disk as unknown as BlockDevice, {});
  store.edit.createImage(name, { content: large, parent: undefined, message: '', author: '', time: 0 });
}

/** The files beside the store. */
function files(place: Workplace): string[] {
  return fs
    .readdirSync(place.directory)
    .filter((name) => name !== 'store')
    .sort();
}

test('a snapshot becomes a file of the format that the name asks for', async (t) => {
  const place = await workplace(t);
  const path = (name: string) => join(place.directory, name);
  assert.equal(await place.varve('export', 'web', 'web.raw'), 'web@1 exported to web.raw: 5.1 MiB as raw');
  assertEqualBytes(fs.readFileSync(path('web.raw')), content, 'web.raw');
  assert.ok(fs.statSync(path('web.raw')).blocks * 512 < 400_000, 'zeros take no space');
  const json = await place.json('export', 'web@1', 'web.qcow2');
  assert.deepEqual(json, { disk: 'web@1', target: 'web.qcow2', format: 'qcow2', size: content.length });
  assert.equal((await place.json('info', './web.qcow2')).format, 'qcow2');
  await place.varve('export', 'web', 'small.qcow2', '--compress');
  assert.equal((await place.json('info', './small.qcow2')).compression, 'zstd');
  await place.varve('export', 'web', 'small', '--format', 'qcow2', '--compress', 'deflate');
  assert.equal((await place.json('info', './small')).compression, 'deflate');
  assert.ok(fs.statSync(path('small.qcow2')).size < fs.statSync(path('web.qcow2')).size);
  assert.match(await place.varve('compare', 'web', 'small.qcow2'), /^identical$/);
  assert.deepEqual(files(place), ['small', 'small.qcow2', 'source.raw', 'web.qcow2', 'web.raw']);
});

test('any disk can be exported, not only what is in the store', async (t) => {
  const place = new Workplace(t);
  fs.writeFileSync(join(place.directory, 'a.raw'), content);
  await place.varve('export', './a.raw', 'b.qcow2');
  await place.varve('export', 'b.qcow2', 'c.raw');
  assertEqualBytes(fs.readFileSync(join(place.directory, 'c.raw')), content, 'there and back');
  await place.varve('export', 'b.qcow2', 'd.raw', '--source-format', 'raw');
  assert.equal(
    Buffer.compare(fs.readFileSync(join(place.directory, 'b.qcow2')), fs.readFileSync(join(place.directory, 'd.raw'))),
    0,
  );
  assert.equal(fs.existsSync(place.store), false, 'no store was needed');
});

test('a file that exists stays as it is, unless force replaces it', async (t) => {
  const place = await workplace(t);
  const path = join(place.directory, 'web.raw');
  fs.writeFileSync(path, 'precious', { mode: 0o600 });
  assert.match(await place.fails(4, 'export', 'web', 'web.raw'), /web\.raw: it exists already; give --force/);
  assert.equal(fs.readFileSync(path, 'utf8'), 'precious');
  await place.varve('export', 'web', 'web.raw', '--force');
  assertEqualBytes(fs.readFileSync(path), content, 'web.raw');
  assert.equal(fs.statSync(path).mode & 0o777, 0o600);
  // The source itself can be replaced: it is read to its end before.
  await place.varve('export', './web.raw', 'web.raw', '--force', '--format', 'qcow2');
  assert.match(await place.varve('compare', 'web', './web.raw'), /^identical$/);
});

test('what cannot be exported ends in one line, and leaves nothing', async (t) => {
  const place = await workplace(t);
  fs.mkdirSync(join(place.directory, 'folder'));
  const cases: [number, RegExp, ...string[]][] = [
    [3, /no image nope/, 'nope', 'x.raw'],
    [3, /no snapshot web@9/, 'web@9', 'x.raw'],
    [3, /neither a file nor an image nope\.qcow2/, 'nope.qcow2', 'x.raw'],
    [3, /cannot open \.\/nope: no such file/, './nope', 'x.raw'],
    [3, /cannot write nowhere\/x\.raw: no such file/, 'web', 'nowhere/x.raw'],
    [2, /cannot write folder: it is a directory/, 'web', 'folder'],
    [2, /a raw file cannot be compressed/, 'web', 'x.raw', '--compress'],
    [2, /no disk format "floppy"/, 'web', 'x', '--format', 'floppy'],
    [2, /web@1 is in the store and has no format/, 'web', 'x', '--source-format', 'raw'],
    [2, /allowed choices are zstd, deflate/i, 'web', 'x.qcow2', '--compress', 'lzma'],
    [11, /x\.dmg: dmg files are not written here/, 'web', 'x.dmg'],
    [11, /s3:\/\/ address is not supported yet/, 's3://host/x', 'x.raw'],
    [3, /cannot open "x" of the NBD server at 127\.0\.0\.1:1: nobody listens there/, 'nbd://127.0.0.1:1/x', 'x.raw'],
  ];
  for (const [status, message, ...args] of cases) {
    assert.match(await place.fails(status, 'export', ...args), message, args.join(' '));
  }
  assert.deepEqual(files(place), ['folder', 'source.raw']);
});

test('a file whose name is that of an image is named with ./', async (t) => {
  const place = await workplace(t);
  fs.writeFileSync(join(place.directory, 'other'), content);
  assert.match(await place.fails(3, 'export', 'other', 'x.raw'), /no image other; .* write \.\/other/);
});

test('standard output gets all of a disk, and nothing else', async (t) => {
  const place = await workplace(t);
  const output = execFileSync(
    'sh',
    ['-c', '"$0" export web - --json | cat > out.raw', join(projectDirectory, 'varve')],
    {
      cwd: place.directory,
      env: { ...process.env, VARVE_STORE: place.store },
    },
  );
  assert.equal(output.length, 0);
  assertEqualBytes(fs.readFileSync(join(place.directory, 'out.raw')), content, 'out.raw');
});

test('a reader that goes away ends an export in one line', async (t) => {
  const place = await workplace(t);
  await addLargeImage(place, 'large', 2 ** 30);
  const script = '"$0" export large - 2> errors | head -c 10 > /dev/null; echo "$PIPESTATUS"';
  const status = execFileSync('bash', ['-c', script, join(projectDirectory, 'varve')], {
    cwd: place.directory,
    env: { ...process.env, VARVE_STORE: place.store },
    encoding: 'utf8',
  });
  const errors = fs.readFileSync(join(place.directory, 'errors'), 'utf8');
  assert.deepEqual([status, errors], ['13\n', 'varve: cannot write standard output: EPIPE\n']);
});

test('Ctrl-C ends an export, and leaves no file', async (t) => {
  const place = await workplace(t);
  await addLargeImage(place, 'large', 4 * 2 ** 30);
  const begun = () => files(place).some((name) => name.startsWith('large.raw.part-'));
  const interrupted = await place.run(['export', 'large', 'large.raw'], {
    started: async (child) => {
      while (child.exitCode === null && !begun()) await setTimeout(2);
      child.kill('SIGINT');
    },
  });
  assert.deepEqual([interrupted.status, interrupted.stderr], [130, 'varve: stopped by Ctrl-C\n']);
  assert.deepEqual(files(place), ['source.raw']);
  assert.deepEqual((await place.json('status')).leases, []);
});

test('a full disk is told beforehand where the need is known, and leaves nothing in any case', async (t) => {
  const place = await workplace(t);
  await addLargeImage(place, 'large', 64 * 2 ** 20);
  fs.writeFileSync(join(place.directory, 'noise.raw'), pattern(60 * 2 ** 20, 9));
  const small = join(place.directory, 'small');
  fs.mkdirSync(small);
  using mount = mountTmpfs(t, small, '16m');
  if (mount === undefined) return;
  assert.match(await place.fails(8, 'export', 'large', 'small/x.raw'), /it takes 64 MiB, and 16 MiB are free there/);
  assert.match(await place.fails(8, 'export', 'large', 'small/x.qcow2'), /it takes 64 MiB/);
  const filled = await place.fails(8, 'export', './noise.raw', 'small/x.qcow2', '--compress');
  assert.match(filled, /cannot write small\/x\.qcow2: no space left/);
  assert.deepEqual(fs.readdirSync(small), []);
  await place.varve('export', 'web', 'small/web.raw');
  assert.deepEqual(fs.readdirSync(small), ['web.raw']);
});

test('a whole block device is written with force only, and only if it is large enough', async (t) => {
  const place = await workplace(t);
  await addLargeImage(place, 'large', 64 * 2 ** 20);
  const backing = join(place.directory, 'loop');
  fs.writeFileSync(backing, Buffer.alloc(8 * 2 ** 20, 'x'));
  let loop: string;
  try {
    loop = execFileSync('losetup', ['--find', '--show', backing], { stdio: 'pipe', encoding: 'utf8' }).trim();
  } catch (error) {
    return t.skip(`no loop device can be had here: ${String((error as { stderr: unknown }).stderr).trim()}`);
  }
  try {
    assert.match(
      await place.fails(4, 'export', 'web', loop),
      /all that is on this block device would be lost; give --force/,
    );
    assert.match(await place.fails(8, 'export', 'large', loop, '--force'), /it has 8 MiB, and the disk 64 MiB/);
    await place.varve('export', 'web', loop, '--force');
    const written = fs.readFileSync(loop);
    assertEqualBytes(written.subarray(0, content.length), content, 'the device');
    assertEqualBytes(written.subarray(content.length), Buffer.alloc(8 * 2 ** 20 - content.length, 'x'), 'behind it');
    const imported = await place.json('import', loop, 'back');
    assert.equal(imported.size, 8 * 2 ** 20);
    const { stdout } = await place.run(['compare', 'web', 'back']);
    assert.equal(stdout, `web@1 and back@1 differ, first at byte ${content.length}\n`);
    assert.equal((await place.json('info', loop)).kind, 'block device');
  } finally {
    execFileSync('losetup', ['--detach', loop]);
  }
});
