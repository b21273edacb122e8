import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { pattern } from '../../src/conformance/device-content.ts';
import { openStore } from '../../src/store/store.ts';
import { mountTmpfs } from './tmpfs.ts';
import { Workplace } from './varve.ts';

function file(place: Workplace, name: string, content: Uint8Array): string {
  const path = join(place.directory, name);
  fs.writeFileSync(path, content);
  return path;
}

test('a disk file becomes an image of its name, and later its next snapshot', async (t) => {
  const place = new Workplace(t);
  file(place, 'web.raw', pattern(200_000, 1));
  const text = await place.varve('import', './web.raw', '-m', 'First');
  assert.match(text, /^web@1 imported: 195\.3 KiB, 195\.3 KiB of it data, 256 KiB new, stored in \d+\.\d KiB$/);
  assert.equal(await place.varve('import', 'web.raw', '--update'), 'web is unchanged: web@1 holds the same');
  file(place, 'web.raw', pattern(300_000, 2));
  const json = await place.json('import', '-u', 'web.raw', 'web', '--tag', 'v2', '--date', '2026-01-02');
  const { reference, tags, size, dataLength, unchanged, time, author, message } = json;
  assert.deepEqual(
    { reference, tags, size, dataLength, unchanged, time, author, message },
    {
      ...{ reference: 'web@2', tags: ['v2'], size: 300_000, dataLength: 327_680, unchanged: false },
      ...{ time: '2026-01-02T00:00:00.000Z', author: 'tester@host', message: 'Imported from web.raw' },
    },
  );
  assert.equal((await place.json('import', 'web.raw', '--update')).unchanged, true);
  assert.match(
    await place.varve('import', 'web.raw', 'web', '--update', '--always'),
    /^web@3 imported: .*none of it new$/,
  );
});

test('what cannot be imported ends in one line, and makes nothing', async (t) => {
  const place = new Workplace(t);
  file(place, 'web.raw', pattern(1000, 1));
  fs.mkdirSync(join(place.directory, 'folder.raw'));
  execFileSync('mkfifo', [join(place.directory, 'pipe.raw')]);
  file(place, 'cut.qcow2', Buffer.from('QFI\xfb\0\0\0\x03', 'latin1'));
  file(place, 'disk.vmdk', Buffer.from('KDMV and more'));
  file(place, 'web.raw.gz', Buffer.from([0x1f, 0x8b, 8, 0]));
  const cases: [number, RegExp, ...string[]][] = [
    [3, /cannot import nothing\.raw: no such file/, 'nothing.raw'],
    [3, /cannot import web\.raw\/: a part of the path is not a directory/, 'web.raw/'],
    [2, /cannot open \.\/folder\.raw: it is a directory/, './folder.raw'],
    [2, /pipe\.raw: it is a pipe, not a disk/, 'pipe.raw'],
    [2, /it is a character device/, '/dev/zero'],
    [10, /cut\.qcow2: /, 'cut.qcow2'],
    [11, /disk\.vmdk: its VMDK version is /, 'disk.vmdk'],
    [11, /web\.raw\.gz: it is a gzip-compressed file/, 'web.raw.gz', 'web'],
    [11, /s3:\/\/ address is not supported yet/, 's3://user:secret@host/x', 'x'],
    [2, /a password does not belong into an address/, 'nbd://user:secret@host/x', 'x'],
    [2, /"a\/b" cannot name an image/, 'web.raw', 'a/b'],
    [2, /".." cannot name an image/, 'web.raw', '..'],
    [2, /"my disk"/, 'web.raw', 'my disk'],
    [2, /no disk format "floppy"/, 'web.raw', '--format', 'floppy'],
    [2, /cannot be a tag/, 'web.raw', '--tag', '12'],
    [2, /what is the image to be called\?/, '-'],
    [2, /cannot be both the disk and the message/, '-', 'web', '-F', '-'],
    [3, /there is no (image|store)/, 'web.raw', '--update'],
  ];
  for (const [status, message, ...args] of cases) {
    assert.match(await place.fails(status, 'import', ...args), message, args.join(' '));
  }
  const { stdout } = await place.run(['list', '--json']);
  assert.deepEqual(JSON.parse(stdout || '[]'), []);
});

test('an image that exists is not replaced, and nothing is touched', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  file(place, 'web.raw', pattern(1000, 1));
  const before = place.tree();
  assert.match(await place.fails(4, 'import', 'web.raw'), /an image web exists already; .* --update/);
  assert.match(await place.fails(3, 'import', 'web.raw', 'nope', '--update'), /no image nope to update/);
  assert.deepEqual(place.tree(), before);
});

test('standard input is a disk of any format', async (t) => {
  const place = new Workplace(t);
  const content = pattern(200_192, 4);
  const { status, stdout } = await place.run(['import', '-', 'web'], { input: content });
  assert.deepEqual([status, stdout.split(':')[0]], [0, 'web@1 imported']);
  await place.varve('export', 'web', 'web.qcow2', '--compress');
  const input = fs.readFileSync(join(place.directory, 'web.qcow2'));
  const again = await place.run(['import', '-', 'web', '--update'], { input });
  assert.equal(again.stdout, 'web is unchanged: web@1 holds the same\n');
  const empty = await place.run(['import', '-', 'nothing'], { input: '' });
  assert.match(empty.stdout, /^nothing@1 imported: 0 B/);
});

test('names as strange as file systems take them are told on one line', async (t) => {
  const place = new Workplace(t);
  file(place, 'new\nline\x1b[31m.raw', pattern(1000, 1));
  file(place, '--update', pattern(1000, 2));
  assert.match(await place.fails(2, 'import', 'new\nline\x1b[31m.raw'), /give one after it/);
  const escaped = await place.varve('import', './new\nline\x1b[31m.raw', 'web', '--json');
  assert.equal(JSON.parse(escaped).message, 'Imported from new\nline\x1b[31m.raw');
  await place.varve('import', '--', './--update', 'dashes');
  assert.match(await place.varve('log', 'web'), /Imported from new/);
});

test('Ctrl-C ends an import at once, and the store is whole', async (t) => {
  const place = new Workplace(t);
  await place.addImage('before');
  file(place, 'large.raw', pattern(150 * 2 ** 20, 1));
  const tmp = join(place.store, 'tmp');
  const interrupted = await place.run(['import', 'large.raw'], {
    started: async (child) => {
      while (child.exitCode === null && fs.readdirSync(tmp).length === 0) await setTimeout(5);
      child.kill('SIGINT');
    },
  });
  assert.deepEqual([interrupted.status, interrupted.stdout], [130, ''], interrupted.stderr);
  assert.equal(interrupted.stderr, 'varve: stopped by Ctrl-C\n');
  const [only, ...rest] = await place.json('list');
  assert.deepEqual([only.name, rest], ['before', []]);
  assert.deepEqual(fs.readdirSync(tmp), []);
  assert.match(await place.varve('verify'), /all is well/);
  assert.match(await place.varve('import', 'large.raw'), /^large@1 imported/);
});

test('Ctrl-C ends an import that waits for standard input', async (t) => {
  const place = new Workplace(t);
  await place.addImage('before');
  await using store = await openStore(place.store);
  const waiting = await place.run(['import', '-', 'web'], {
    started: async (child) => {
      // Standard input stays open.
      child.stdin!.end = () => child.stdin!;
      while (child.exitCode === null && store.leases.living('ingest').length === 0) await setTimeout(5);
      child.kill('SIGINT');
    },
  });
  assert.deepEqual([waiting.status, waiting.stderr], [130, 'varve: stopped by Ctrl-C\n']);
  assert.match(await place.varve('verify'), /all is well/);
});

test('a full disk is survived: the store opens, and what was there is', async (t) => {
  const place = new Workplace(t);
  fs.mkdirSync(place.store);
  using mount = mountTmpfs(t, place.store, '24m');
  if (mount === undefined) return;
  await place.addImage('before');
  file(place, 'large.raw', pattern(60 * 2 ** 20, 1));
  assert.match(await place.fails(8, 'import', 'large.raw'), /no space left on the device/);
  const piped = await place.run(['import', '-', 'piped'], { input: pattern(60 * 2 ** 20, 2) });
  assert.deepEqual([piped.status, piped.stdout], [8, '']);
  assert.match(piped.stderr, /^varve: [^\n]*no space left on the device\n$/);
  const images = await place.json('list');
  assert.deepEqual(
    images.map(({ name }: { name: string }) => name),
    ['before'],
  );
  assert.match(await place.varve('verify'), /all is well/);
  await place.varve('gc');
  file(place, 'small.raw', pattern(5 * 2 ** 20, 3));
  assert.match(await place.varve('import', 'small.raw'), /^small@1 imported/);
  assert.match(await place.varve('verify'), /all is well/);
});
