import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { assertEqualBytes, pattern } from '../../src/conformance/device-content.ts';
import { mountTmpfs } from './tmpfs.ts';
import { Workplace } from './varve.ts';

const mebibyte = 2 ** 20;

/** 1 MiB of data, 4 MiB of nothing, 300,000 bytes of data, in all 6 MiB. */
const content = Buffer.alloc(6 * mebibyte);
content.set(pattern(mebibyte, 1), 0);
content.set(pattern(300_032, 2), 5 * mebibyte);

function workplace(t: TestContext): { place: Workplace; path: (name: string) => string } {
  const place = new Workplace(t);
  const path = (name: string) => join(place.directory, name);
  writeSparse(path('disk.raw'));
  return { place, path };
}

/** The files in the workplace, but for what Varve notes for itself. */
function files(place: Workplace): string[] {
  return fs
    .readdirSync(place.directory)
    .filter((name) => !name.startsWith('store'))
    .sort();
}

function writeSparse(path: string): void {
  const file = fs.openSync(path, 'w');
  fs.writeSync(file, content, 0, mebibyte, 0);
  fs.writeSync(file, content, 5 * mebibyte, 300_032, 5 * mebibyte);
  fs.ftruncateSync(file, content.length);
  fs.closeSync(file);
}

test('convert writes any disk in the format that the name or --to asks for, and needs no store', async (t) => {
  const { place, path } = workplace(t);
  assert.equal(
    await place.varve('convert', './disk.raw', 'a.qcow2'),
    './disk.raw converted to a.qcow2: 6 MiB as qcow2',
  );
  await place.varve(
    'convert',
    'a.qcow2',
    'b.qcow2',
    '--compress',
    'deflate',
    '--parallel',
    '1',
    '--cluster-size',
    '4K',
  );
  const { clusterSize, compression } = await place.json('info', 'b.qcow2');
  assert.deepEqual([clusterSize, compression], [4096, 'deflate']);
  await place.varve('convert', 'b.qcow2', 'c', '--to', 'raw', '--from', 'qcow2');
  assertEqualBytes(fs.readFileSync(path('c')), content, 'there and back');
  assert.ok(fs.statSync(path('c')).blocks * 512 < 2 * mebibyte, 'sparse');
  assert.match(await place.fails(4, 'convert', './disk.raw', 'a.qcow2'), /a\.qcow2: it exists already; give --force/);
  await place.varve('convert', './disk.raw', 'a.qcow2', '--force');
  assert.match(
    await place.fails(2, 'convert', './disk.raw', 'x.raw', '-o', 'subformat=fixed'),
    /no option "subformat"/,
  );
  assert.match(await place.fails(2, 'convert', './disk.raw', 'x.raw', '-o', 'nonsense'), /write key=value/);
  assert.match(await place.fails(2, 'convert', './disk.raw'), /convert to what\?/);
  assert.match(await place.fails(2, 'convert', './disk.raw', '-'), /write varve export \.\/disk\.raw -/);
  assert.equal(fs.existsSync(place.store), false);
});

test('create makes empty disks and disks on others, and overwrites nothing', async (t) => {
  const { place, path } = workplace(t);
  fs.mkdirSync(path('sub'));
  assert.equal(await place.varve('create', 'e.raw', '1.5M'), 'e.raw created: 1.5 MiB as raw');
  assert.equal(fs.statSync(path('e.raw')).size, 1.5 * mebibyte);
  const said = await place.varve('create', 'sub/top.qcow2', '--backing', 'disk.raw');
  assert.equal(said, 'sub/top.qcow2 created: 6 MiB as qcow2, on ../disk.raw (raw)');
  assert.match(await place.varve('compare', 'sub/top.qcow2', './disk.raw', '--follow'), /^identical$/);
  const json = await place.json('create', 'larger.qcow2', '8M', '-b', path('disk.raw'), '--backing-format', 'raw');
  assert.deepEqual(json.backing, { name: path('disk.raw'), format: 'raw' });
  assert.equal((await place.json('info', 'larger.qcow2')).virtualSize, 8 * mebibyte);
  const cases: [number, RegExp, ...string[]][] = [
    [4, /e\.raw: it exists already/, 'e.raw', '1M'],
    [2, /how large is n\.raw to be/, 'n.raw'],
    [3, /gone\.raw/, 'n.qcow2', '-b', './gone.raw'],
    [2, /cannot build on itself/, 'n.qcow2', '-b', './n.qcow2'],
    [2, /a raw file cannot build on another/, 'n.raw', '-b', './disk.raw'],
    [2, /--backing-format is of no use/, 'n.qcow2', '1M', '--backing-format', 'raw'],
  ];
  for (const [status, message, ...args] of cases) assert.match(await place.fails(status, 'create', ...args), message);
  await place.varve('create', 'e.raw', '1M', '--force');
  assert.deepEqual(fs.readdirSync(place.directory).sort(), [
    'disk.raw',
    'e.raw',
    'larger.qcow2',
    'store-files.jsonl',
    'sub',
  ]);
});

test('resize makes a disk larger, and smaller only when told so', async (t) => {
  const { place, path } = workplace(t);
  await place.varve('convert', './disk.raw', 'disk.qcow2');
  for (const name of ['./disk.raw', './disk.qcow2']) {
    assert.match(await place.varve('resize', name, '+2M'), /resized from 6 MiB .* to 8 MiB/);
    assert.match(await place.fails(2, 'resize', name, '-1M'), /1 MiB at its end would be lost; give --shrink/);
    const json = await place.json('resize', name, '-2M', '--shrink');
    assert.deepEqual([json.oldSize, json.size], [8 * mebibyte, 6 * mebibyte]);
    assert.match(await place.varve('resize', name, '6M'), /has 6 MiB .* already/);
  }
  assertEqualBytes(fs.readFileSync(path('disk.raw')), content, 'the rest stays');
  assert.match(await place.varve('compare', './disk.raw', 'disk.qcow2', '--strict'), /^identical$/);
  assert.match(await place.fails(2, 'resize', './disk.raw', '--shirnk'), /unknown option '--shirnk'/);
  assert.match(await place.fails(2, 'resize', './disk.raw', '-9M', '--shrink'), /cannot become -9M in size/);
  await place.addImage('web');
  assert.match(await place.fails(11, 'resize', 'web', '9M'), /snapshots do not change; export it/);
});

test('map tells of files what qemu-img tells, and of snapshots whole chunks', async (t) => {
  const { place } = workplace(t);
  assert.deepEqual(await place.json('map', './disk.raw'), [
    { start: 0, length: mebibyte, depth: 0, present: true, zero: false, data: true, compressed: false, offset: 0 },
    {
      ...{ start: mebibyte, length: 4 * mebibyte, depth: 0, present: true, zero: true, data: false },
      ...{ compressed: false, offset: mebibyte },
    },
    {
      ...{ start: 5 * mebibyte, length: 303_104, depth: 0, present: true, zero: false, data: true },
      ...{ compressed: false, offset: 5 * mebibyte },
    },
    {
      ...{ start: 5 * mebibyte + 303_104, length: mebibyte - 303_104, depth: 0, present: true, zero: true },
      ...{ data: false, compressed: false, offset: 5 * mebibyte + 303_104 },
    },
  ]);
  await place.varve('create', 'top.qcow2', '-b', './disk.raw');
  const rows = await place.json('map', 'top.qcow2', '--follow');
  assert.deepEqual(rows[0], {
    ...{ start: 0, length: mebibyte, depth: 1, present: true, zero: false, data: true, compressed: false, offset: 0 },
  });
  assert.match(
    await place.varve('map', 'top.qcow2', '--follow'),
    /^ *START .*\n +0 +1048576 +1 MiB +data +0 +\S*disk\.raw\n/,
  );
  await place.varve('import', 'disk.raw', 'web');
  const chunks = await place.json('map', 'web');
  assert.deepEqual(
    chunks.map(({ data, length }: { data: boolean; length: number }) => [data, length]),
    [
      [true, mebibyte],
      [false, 4 * mebibyte],
      [true, 5 * 65536],
      [false, mebibyte - 5 * 65536],
    ],
  );
  assert.match(await place.varve('map', 'web', '--all'), /nothing/);
});

test('measure tells how large a file would be, of a disk or of a size', async (t) => {
  const { place } = workplace(t);
  assert.deepEqual(await place.json('measure', './disk.raw', '--to', 'raw'), {
    ...{ format: 'raw', required: content.length, fullyAllocated: content.length },
  });
  const { required, fullyAllocated } = await place.json('measure', './disk.raw', '--to', 'qcow2');
  await place.varve('convert', './disk.raw', 'disk.qcow2');
  assert.ok(fs.statSync(join(place.directory, 'disk.qcow2')).size <= required && required < fullyAllocated);
  assert.match(
    await place.varve('measure', '--size', '1T', '--to', 'qcow2'),
    /^Required: .*\nFully allocated: +1\.0 TiB/,
  );
  assert.match(await place.fails(2, 'measure', '--to', 'qcow2'), /measure what\?/);
});

test('check ends with a status that says how bad it is, and repairs', async (t) => {
  const { place, path } = workplace(t);
  await place.varve('convert', './disk.raw', 'disk.qcow2');
  assert.match(
    await place.varve('check', './disk.qcow2'),
    /^21 of 96 clusters .*\n\.\/disk\.qcow2: nothing is wrong\.$/,
  );
  // A cluster behind the image, which its refcounts cover and nothing uses.
  const image = fs.readFileSync(path('disk.qcow2'));
  const refcountBlock = Number(image.readBigUInt64BE(Number(image.readBigUInt64BE(48))));
  image.writeUInt16BE(1, refcountBlock + 2 * (image.length / 65536));
  fs.writeFileSync(path('disk.qcow2'), Buffer.concat([image, Buffer.alloc(65536)]));
  const leaking = await place.run(['check', './disk.qcow2', '--json']);
  assert.deepEqual([leaking.status, JSON.parse(leaking.stdout).leaks], [1, 1]);
  assert.match(
    await place.varve('check', './disk.qcow2', '--repair', 'leaks'),
    /1 lost cluster given back, nothing is wrong/,
  );
  await place.varve('check', './disk.qcow2');
  const damaged = fs.readFileSync(path('disk.qcow2'));
  damaged.writeUInt16BE(0, refcountBlock + 2);
  fs.writeFileSync(path('disk.qcow2'), damaged);
  const corrupt = await place.run(['check', './disk.qcow2']);
  assert.equal(corrupt.status, 10);
  assert.match(corrupt.stdout, /that can cost data/);
  assert.match(await place.fails(11, 'check', './disk.raw'), /a raw disk has nothing that could be wrong/);
});

test('check reads all of a snapshot', async (t) => {
  const { place } = workplace(t);
  await place.varve('import', 'disk.raw', 'web');
  assert.match(await place.varve('check', 'web'), /nothing is wrong/);
  assert.match(await place.fails(11, 'check', 'web', '--repair', 'all'), /cannot repair web/);
  const packs = fs.readdirSync(join(place.store, 'packs'), { recursive: true, encoding: 'utf8' });
  const pack = join(place.store, 'packs', packs.find((name) => name.endsWith('.pack'))!);
  const bytes = fs.readFileSync(pack);
  bytes.fill(0x55, 200_000, 200_100);
  fs.chmodSync(pack, 0o600);
  fs.writeFileSync(pack, bytes);
  const { status, stdout } = await place.run(['check', 'web@1', '--json']);
  const { corruptions, problems } = JSON.parse(stdout);
  assert.deepEqual([status, corruptions], [10, 1]);
  assert.match(problems[0], /^64 KiB at byte \d+: /);
});

test('info --chain tells of every file that a disk builds on', async (t) => {
  const { place, path } = workplace(t);
  await place.varve('create', 'middle.qcow2', '-b', './disk.raw');
  await place.varve('create', 'top.qcow2', '-b', './middle.qcow2');
  const { chain, path: topPath } = await place.json('info', 'top.qcow2', '--chain');
  assert.equal(topPath, 'top.qcow2');
  assert.deepEqual(
    chain.map(({ format, path }: { format: string; path: string }) => [path, format]),
    [
      ['top.qcow2', 'qcow2'],
      [path('middle.qcow2'), 'qcow2'],
      [path('disk.raw'), 'raw'],
    ],
  );
  assert.equal((await place.varve('info', 'top.qcow2', '--chain')).split('\n\n').length, 3);
  fs.rmSync(path('disk.raw'));
  assert.match(await place.fails(3, 'info', 'top.qcow2', '--chain'), /disk\.raw/);
});

test('convert --in-place keeps the name and the content, and refuses what would be lost', async (t) => {
  const { place, path } = workplace(t);
  const inPlace = (...args: string[]) => place.json('convert', '--in-place', './disk.raw', ...args);
  assert.equal((await inPlace('--to', 'qcow2')).way, 'wrap');
  assert.equal((await place.json('info', './disk.raw')).format, 'qcow2');
  assert.match(await place.varve('check', './disk.raw'), /nothing is wrong/);
  assert.equal((await inPlace('--to', 'raw', '--room', '1.1M')).way, 'stepwise');
  assertEqualBytes(fs.readFileSync(path('disk.raw')), content, 'there and back');
  assert.equal((await inPlace('--to', 'qcow2', '--compress')).way, 'copy');
  assert.match(await place.fails(2, 'convert', '--in-place', './disk.raw', '--to', 'qcow2'), /it is qcow2 already/);
  assert.match(await place.fails(2, 'convert', '--in-place', './disk.raw'), /to what\? give --to/);
  assert.match(await place.fails(2, 'convert', '--in-place', './disk.raw', 'x'), /--in-place takes one file/);
  assert.match(
    await place.fails(8, 'convert', '--in-place', './disk.raw', '--to', 'raw', '--room', '512K'),
    /it takes 1\.\d MiB beside it, or .* step by step, and there are 512 KiB/,
  );
  await place.varve('create', 'top.qcow2', '-b', './disk.raw');
  assert.match(await place.fails(6, 'convert', '--in-place', './disk.raw', '--to', 'raw'), /top\.qcow2 builds on it/);
  assert.deepEqual(files(place), ['disk.raw', 'top.qcow2']);
});

test('convert --in-place works on a file system with no room for two', async (t) => {
  const { place } = workplace(t);
  const small = join(place.directory, 'small');
  fs.mkdirSync(small);
  using mount = mountTmpfs(t, small, '16m');
  if (mount === undefined) return;
  const disk = pattern(11 * mebibyte, 5);
  fs.writeFileSync(join(small, 'disk'), disk);
  const ways: string[] = [];
  for (const to of ['qcow2', 'raw']) {
    ways.push((await place.json('convert', '--in-place', 'small/disk', '--to', to)).way);
  }
  assert.deepEqual(ways, ['wrap', 'stepwise']);
  assertEqualBytes(fs.readFileSync(join(small, 'disk')), disk, 'there and back');
  fs.writeFileSync(join(small, 'filling'), pattern(4 * mebibyte, 6));
  assert.match(await place.fails(8, 'convert', '--in-place', 'small/disk', '--to', 'vmdk'), /no room for two files/);
  const spool = join(place.directory, 'spool');
  fs.mkdirSync(spool);
  const spooled = await place.json('convert', '--in-place', 'small/disk', '--to', 'vmdk', '--spool', 'spool');
  assert.equal(spooled.way, 'spool');
  await place.varve('convert', 'small/disk', 'back.raw');
  assertEqualBytes(fs.readFileSync(join(place.directory, 'back.raw')), disk, 'by spool');
  assert.deepEqual([fs.readdirSync(small).sort(), fs.readdirSync(spool)], [['disk', 'filling'], []]);
});
