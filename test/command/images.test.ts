import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Workplace } from './varve.ts';

const time = '2025-01-02T03:04:05Z';

test('list shows images in natural order, with the newest snapshot of each', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web10', { size: 2 * 1024 * 1024 });
  await place.addImage('web9');
  await place.addImage('web9', { chunks: [1] });
  await place.addImage('Größe_漢字', { size: 1536 });
  assert.equal(
    await place.varve('list'),
    [
      'NAME        SNAPSHOTS     SIZE  TIME                  MESSAGE',
      `Größe_漢字          1  1.5 KiB  ${time}  Image Größe_漢字`,
      `web9                2    1 MiB  ${time}  Image web9`,
      `web10               1    2 MiB  ${time}  Image web10`,
    ].join('\n'),
  );
  const names = async (...args: string[]) =>
    (await place.json('list', ...args)).map((row: { name: string }) => row.name);
  assert.deepEqual(await names('--sort', 'size'), ['web10', 'web9', 'Größe_漢字']);
  assert.deepEqual(await names('--sort', 'size', '--reverse'), ['Größe_漢字', 'web9', 'web10']);
  await place.varve('snapshot', 'web9', '--date', '2026-01-01');
  assert.deepEqual(await names('--sort', 'time'), ['web9', 'Größe_漢字', 'web10']);
  const [, web9] = await place.json('list');
  assert.deepEqual([web9.snapshotCount, web9.size, web9.newest.reference], [3, 1024 * 1024, 'web9@3']);
});

test('list tells whoever has no store yet how to begin', async (t) => {
  const place = new Workplace(t);
  const { status, stdout, stderr } = await place.run(['list']);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: '' });
  assert.match(stderr, /^varve: the store .*store holds no images; varve import DISK brings one in\n$/);
  assert.equal((await place.run(['list', '--json'])).stdout, '[]\n');
  assert.match(await place.fails(3, 'log', 'web'), /there is no store in .*varve import/);
});

test('snapshot and log: messages of several paragraphs, tags, times and authors', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  const made = ['snapshot', 'web', '-m', 'Vor dem Umzug ✓', '-m', 'Zweiter Absatz', '--tag', 'before'];
  assert.equal(await place.varve(...made, '--date', '2025-03-01T10:00:00+01:00'), 'web@2 made');
  const log = await place.varve('log', 'web');
  assert.equal(
    log.replace(/stored in .*/, 'stored in …'),
    [
      'web@2 (before)',
      'Time:    2025-03-01T09:00:00Z',
      'Author:  tester@host',
      'Size:    1 MiB, nothing new',
      '',
      '    Vor dem Umzug ✓',
      '',
      '    Zweiter Absatz',
      '',
      'web@1',
      `Time:    ${time}`,
      'Author:  tester@host',
      'Size:    1 MiB, 64 KiB new, stored in …',
      '',
      '    Image web',
    ].join('\n'),
  );
  assert.equal(
    await place.varve('log', 'web', '--oneline'),
    `web@2 (before)  2025-03-01T09:00:00Z  Vor dem Umzug ✓\nweb@1  ${time}  Image web`,
  );
  const [newest, oldest] = await place.json('log', 'web');
  assert.equal(newest.message, 'Vor dem Umzug ✓\n\nZweiter Absatz');
  assert.deepEqual([newest.tags, newest.parent, newest.time], [['before'], oldest.id, '2025-03-01T09:00:00.000Z']);
  assert.deepEqual([oldest.number, oldest.parent, oldest.size], [1, null, 1024 * 1024]);
  assert.equal((await place.json('log', 'web', '-n', '1')).length, 1);
  assert.equal((await place.json('log', 'web@1')).length, 1);
});

test('snapshot takes its message from a file and from standard input, and describe changes it', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  writeFileSync(join(place.directory, 'notes'), '\n\r\nFrom a file\r\nsecond line\n\n');
  assert.equal((await place.json('snapshot', 'web', '-F', 'notes')).message, 'From a file\nsecond line');
  const piped = await place.run(['snapshot', 'web', '-F', '-', '--json'], { input: 'žluťoučký\n' });
  assert.equal(JSON.parse(piped.stdout).message, 'žluťoučký');
  assert.equal((await place.json('snapshot', 'web')).message, '');
  assert.equal(await place.varve('describe', 'web@2', '-m', 'Better'), 'web@2 described');
  assert.equal((await place.json('info', 'web@2')).message, 'Better');
  assert.equal((await place.json('describe', 'web@2', '-m', '')).message, '');
});

test('what a terminal would obey is printed as an escape, in tables, logs and JSON', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  await place.varve('snapshot', 'web', '-m', 'bell \x07 \x1b[31mred \u202etxt.exe');
  for (const command of [['list'], ['log', 'web'], ['info', 'web'], ['log', 'web', '--json']]) {
    assert.doesNotMatch(await place.varve(...command), /[^\P{Cc}\n]|\u202e/u, command.join(' '));
  }
  assert.equal((await place.json('log', 'web'))[0].message, 'bell \x07 \x1b[31mred \u202etxt.exe');
});

test('clone makes an image of any snapshot, restore goes back to one, and the others stay', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  await place.addImage('web', { chunks: [3] });
  assert.equal(await place.varve('clone', 'web@1', 'test'), 'test@1 cloned from web@1');
  const [clone] = await place.json('log', 'test');
  const [second, first] = await place.json('log', 'web');
  assert.deepEqual([clone.message, clone.root, clone.parent], ['Cloned from web@1', first.root, first.id]);
  assert.equal(await place.varve('restore', 'web@1'), 'web@3 restored from web@1');
  assert.match(await place.varve('log', 'web'), /^web@3\n(.*\n){3}From: {4}web@1\n\n {4}Restored from web@1\n/);
  assert.match(await place.varve('restore', 'web@1'), /^web@3 has the content of web@1 already/);
  assert.equal(await place.varve('restore', 'web@2', 'newer'), 'newer@1 restored from web@2');
  const [newer] = await place.json('log', 'newer');
  assert.deepEqual([newer.root, newer.message], [second.root, 'Restored from web@2']);
  assert.equal((await place.json('list')).length, 3);
});

test('tag gives, moves, lists and deletes names of snapshots', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  await place.varve('snapshot', 'web');
  assert.match(await place.varve('tag'), /no tags/);
  assert.equal(await place.varve('tag', 'web@1', 'v9'), 'web@v9 is web@1 now');
  await place.varve('tag', 'web@1', 'v10');
  assert.match(await place.fails(4, 'tag', 'web', 'v9'), /--move/);
  assert.equal(await place.varve('tag', '--move', 'web', 'v9'), 'web@v9 is web@2 now');
  assert.equal(
    await place.varve('tag', 'web', '--json'),
    JSON.stringify(
      [
        { tag: 'v9', image: 'web', number: 2, reference: 'web@2' },
        { tag: 'v10', image: 'web', number: 1, reference: 'web@1' },
      ],
      null,
      2,
    ),
  );
  assert.equal(await place.varve('tag', '--delete', 'web@v9'), 'web@v9 deleted');
  assert.match(await place.fails(3, 'tag', '--delete', 'web@v9'), /no tag v9/);
  assert.match(await place.fails(3, 'info', 'web@v9'), /no snapshot web@v9/);
  assert.equal((await place.json('info', 'web@v10')).reference, 'web@1');
});

test('rename and remove: any snapshot, in any order, several at once', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  for (const chunk of [1, 2, 3]) await place.addImage('web', { chunks: [chunk] });
  assert.equal(await place.varve('rename', 'web', 'shop'), 'web is shop now');
  assert.equal(await place.varve('remove', 'shop@1', 'shop@3'), 'shop@1 removed\nshop@3 removed');
  const numbers = (await place.json('log', 'shop')).map((snapshot: { number: number }) => snapshot.number);
  assert.deepEqual(numbers, [4, 2]);
  assert.match(await place.varve('info', 'shop@4'), /Made from: +[0-9a-f]{16}…, which was removed/);
  assert.equal((await place.json('snapshot', 'shop')).number, 5);
  assert.deepEqual((await place.json('remove', 'shop')).removed, ['shop']);
  assert.deepEqual(await place.json('status').then((status) => [status.imageCount, status.snapshotCount]), [0, 0]);
});

test('info tells all about a snapshot', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web', { size: 1536 });
  await place.varve('clone', 'web', 'test');
  const info = await place.json('info', 'test');
  assert.equal(info.madeFrom, 'web@1');
  assert.match(
    await place.varve('info', 'test'),
    /^Snapshot: +test@1 \(of 1\)\nMade from: +web@1\nTime: .*\nAuthor: +tester@host\nDisk size: +1\.5 KiB \(1536 bytes\)\n/,
  );
});

test('diff names the ranges that differ, and says when nothing does', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web', { chunks: [1] });
  await place.addImage('web', { chunks: [1, 4, 5] });
  await place.addImage('big', { chunks: [1], size: 3 * 1024 * 1024 });
  assert.equal(
    await place.varve('diff', 'web@1', 'web@2'),
    'OFFSET  LENGTH\n262144  131072  128 KiB\nweb@1 and web@2 differ in 128 KiB, in 1 range.',
  );
  const differs = await place.run(['diff', '--exit-code', '--json', 'web@1', 'web']);
  assert.equal(differs.status, 1);
  const { identical, changedBytes, ranges } = JSON.parse(differs.stdout);
  assert.deepEqual(
    { identical, changedBytes, ranges },
    { identical: false, changedBytes: 131072, ranges: [{ offset: 262144, length: 131072 }] },
  );
  assert.equal(await place.varve('diff', '--exit-code', 'web@1', 'web@1'), 'web@1 and web@1 are identical.');
  assert.equal(
    await place.varve('diff', 'web@1', 'big'),
    "The disk's size changed from 1 MiB (1048576 bytes) to 3 MiB (3145728 bytes).\nweb@1 and big@1 differ in nothing else.",
  );
  writeFileSync(join(place.directory, 'disk.raw'), Buffer.alloc(1024 * 1024));
  const { a, b, ranges: fileRanges } = await place.json('diff', 'web@1', './disk.raw');
  assert.deepEqual(
    [a, b],
    [
      { disk: 'web@1', size: 1048576 },
      { disk: './disk.raw', size: 1048576 },
    ],
  );
  assert.deepEqual(fileRanges, [{ offset: 65536, length: 65536 }]);
});
