import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { endAndAwait } from '../process/end-process.ts';
import { Workplace } from './varve.ts';

/** An ext4 file system of 64 MiB with `old/` (8 MiB), `new/` (4 MiB) and one file of two names. */
async function usageDisk(place: Workplace): Promise<void> {
  const tree = join(place.directory, 'tree');
  for (const name of ['old', 'new/<b>deep']) fs.mkdirSync(join(tree, name), { recursive: true });
  fs.writeFileSync(join(tree, 'old/file'), Buffer.alloc(8 << 20, 1));
  fs.writeFileSync(join(tree, 'new/file'), Buffer.alloc(4 << 20, 2));
  fs.linkSync(join(tree, 'new/file'), join(tree, 'new/<b>deep/again'));
  const longAgo = new Date(Date.now() - 400 * 86_400_000);
  fs.utimesSync(join(tree, 'old/file'), longAgo, longAgo);
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-b', '4096', '-d', tree, join(place.directory, 'disk.raw'), '64M']);
}

describe('varve usage', { skip: skipWithout('mke2fs') }, () => {
  test('adds up directories, the files of several names once, and shows what is old', async (t) => {
    const place = new Workplace(t);
    await usageDisk(place);
    const lines = async (...args: string[]) => (await place.varve('usage', ...args)).split('\n');
    assert.deepEqual(await lines('./disk.raw', '--depth', '0'), ['12320       /']);
    assert.deepEqual(await lines('./disk.raw:/new', '-d', 'max'), ['4           /new/<b>deep', '4104        /new']);
    assert.deepEqual(await lines('./disk.raw', '--older', '6m'), ['8192        /old', '8192        /']);
    assert.deepEqual(await lines('./disk.raw', '-a', '6m', '--files', '--mtime', '-H', '-d', 'max'), [
      '8 MiB       /old/file',
      '8 MiB       /old',
      '8 MiB       /',
    ]);
    assert.equal(await place.varve('usage', './disk.raw', '-a', '2y'), '');
    assert.deepEqual(await lines('./disk.raw', '--files', '--top', '3'), [
      '12320       /',
      '8196        /old',
      '8192        /old/file',
    ]);
    const [row] = await place.json('usage', './disk.raw:/old', '--apparent-size');
    assert.deepEqual([row.path, row.kind, row.bytes, row.files], ['/old', 'directory', (8 << 20) + 4096, 1]);
  });

  test('writes a page, and replaces no file unless told to', async (t) => {
    const place = new Workplace(t);
    await usageDisk(place);
    const path = join(place.directory, 'page.html');
    assert.equal(await place.varve('usage', './disk.raw', '--html', 'page.html', '--depth', 'max'), '');
    const page = fs.readFileSync(path, 'utf8');
    assert.match(page, /8 MiB, 1 to 2 years ago/);
    assert.match(page, /<a href="#d\d">&lt;b&gt;deep\/<\/a>/);
    assert.doesNotMatch(page, /<b>/);
    assert.match(await place.fails(4, 'usage', './disk.raw', '--html', 'page.html'), /page\.html/);
    await place.varve('usage', './disk.raw', '--html', 'page.html', '--force');
  });

  test('serves pages to whoever knows the address, and nothing else', async (t) => {
    const place = new Workplace(t);
    await usageDisk(place);
    let child: ChildProcess | undefined;
    const started = (running: ChildProcess) => {
      child = running;
    };
    const ended = place.run(['usage', './disk.raw', '--serve'], { started });
    try {
      const [output] = await once(child!.stdout!, 'data');
      const { origin, pathname } = new URL(String(output).replace('serving ', '').trim());
      const page = await ask(origin, pathname);
      assert.equal(page.status, 200);
      assert.match(String(page.headers['content-security-policy']), /^default-src 'none'/);
      const next = /<a href="\.\/(\d+)">new\/<\/a>/.exec(page.body)![1];
      assert.match((await ask(origin, `${pathname}${next}`)).body, /&lt;b&gt;deep/);
      const statuses = [
        ask(origin, '/'),
        ask(origin, pathname.replace(/.\/$/, '_/')),
        ask(origin, `${pathname}9999`),
        ask(origin, `${pathname}../../etc/passwd`),
        ask(origin, pathname, { method: 'POST' }),
        ask(origin, pathname, { headers: { host: 'evil.example' } }),
        ask(origin, pathname, { method: 'HEAD' }),
      ];
      assert.deepEqual(
        (await Promise.all(statuses)).map(({ status }) => status),
        [404, 404, 404, 404, 405, 403, 200],
      );
    } finally {
      await endAndAwait(child!, ended, 'SIGTERM');
    }
  });

  test('refuses what does not go together', async (t) => {
    const place = new Workplace(t);
    assert.match(await place.fails(2, 'usage'), /name a disk, or give --snapshots/);
    assert.match(
      await place.fails(2, 'usage', 'web', '--snapshots', '--serve'),
      /--serve does not go with --snapshots/,
    );
    assert.match(await place.fails(2, 'usage', 'web', '--port', '1'), /--port needs --serve/);
    assert.match(await place.fails(2, 'usage', 'web', '--older', '6h'), /as an age/);
    assert.match(await place.fails(2, 'usage', 'web', '--depth', '-1'), /as levels/);
  });
});

interface Answer {
  readonly status: number | undefined;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
}

/** Asks without anything that `fetch` would do to the path. */
async function ask(origin: string, path: string, options: http.RequestOptions = {}): Promise<Answer> {
  const { hostname, port } = new URL(origin);
  const request = http.request({ hostname, port, path, agent: false, ...options }).end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  const parts = await response.toArray();
  return { status: response.statusCode, headers: response.headers, body: Buffer.concat(parts).toString() };
}

describe('varve usage --snapshots', () => {
  test('says what removing each snapshot frees', async (t) => {
    const place = new Workplace(t);
    const chunks = (count: number, first = 0) => Array.from({ length: count }, (_, index) => first + index);
    await place.addImage('web', { size: 4 << 20, chunks: chunks(4), fill: 1 });
    await place.addImage('web', { size: 4 << 20, chunks: chunks(20), fill: 2 });
    await place.addImage('web', { size: 4 << 20, chunks: chunks(4), fill: 3 });
    await place.varve('clone', 'web', 'db');
    const before = await place.json('usage', '--snapshots');
    const owned = Object.fromEntries(
      before.snapshots.map(({ bytes, reference }: { bytes: number; reference: string }) => [reference, bytes]),
    );
    assert.deepEqual(Object.keys(owned), ['db@1', 'web@1', 'web@2', 'web@3']);
    assert.deepEqual([owned['db@1'], owned['web@3']], [0, 0], 'they have one content');
    assert.ok(owned['web@1'] > 0 && owned['web@2'] > 0);
    assert.equal(before.garbage.bytes, 0);
    for (const reference of ['web@1', 'web@2']) {
      await place.varve('remove', reference);
      const { garbage } = await place.json('usage', '--snapshots');
      assert.equal(garbage.bytes, owned[reference]);
      const { freedBytes } = await place.json('gc');
      // Each was imported by itself, and is a pack of its own: what is more are its header and footer.
      assert.equal(freedBytes, owned[reference] + 96);
    }
    const text = await place.varve('usage', 'web', '--snapshots');
    assert.match(text, /^SNAPSHOT +TIME +ALONE +MESSAGE\nweb@3 +\S+ +0 B +Image web\n\nIMAGE +ALONE\nweb +0 B\n/);
    await place.varve('remove', 'db');
    const alone = await place.json('usage', 'web', '--snapshots');
    assert.ok(alone.snapshots[0].bytes > 0);
    assert.deepEqual([alone.images[0].bytes, alone.shared.bytes], [alone.snapshots[0].bytes, 0]);
    assert.match(await place.fails(2, 'usage', 'web@3', '--snapshots'), /about images/);
    await place.fails(3, 'usage', 'nothing', '--snapshots');
  });

  test('counts as the image’s own what only its snapshots share', async (t) => {
    const place = new Workplace(t);
    await place.addImage('web', { size: 4 << 20, chunks: [0, 1], fill: 1 });
    await place.addImage('web', { size: 4 << 20, chunks: [0, 1, 2], fill: 1 });
    const { images, shared, snapshots } = await place.json('usage', '--snapshots');
    const alone = snapshots.reduce((sum: number, { bytes }: { bytes: number }) => sum + bytes, 0);
    assert.ok(images[0].bytes > alone, 'the chunk that both have');
    assert.equal(shared.bodies, 0);
  });
});
