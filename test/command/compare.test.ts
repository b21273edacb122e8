import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { pattern } from '../../src/conformance/device-content.ts';
import { Workplace } from './varve.ts';

/** Runs `varve compare` and gives its exit status and what it prints. */
async function compare(place: Workplace, ...args: string[]): Promise<[number | null, string]> {
  const { status, stdout, stderr } = await place.run(['compare', ...args]);
  assert.equal(stderr, '');
  return [status, stdout.trimEnd()];
}

test('snapshots and files are identical, or differ first at some byte, with status 0 or 1', async (t) => {
  const place = new Workplace(t);
  const content = Buffer.from(pattern(300_032, 1));
  fs.writeFileSync(join(place.directory, 'a.raw'), content);
  await place.varve('import', 'a.raw', 'web');
  await place.varve('export', 'web', 'a.qcow2');
  content[200_000]! ^= 1;
  fs.writeFileSync(join(place.directory, 'b.raw'), content);
  await place.varve('import', 'b.raw', 'web', '--update');
  const same = [0, 'identical'];
  const differ = (a: string, b: string) => [1, `${a} and ${b} differ, first at byte 200000`];
  assert.deepEqual(await compare(place, 'web@1', 'web@1'), same);
  assert.deepEqual(await compare(place, 'web@1', './a.raw'), same);
  assert.deepEqual(await compare(place, './a.qcow2', 'a.raw'), same);
  assert.deepEqual(await compare(place, 'web@1', 'web'), differ('web@1', 'web@2'));
  assert.deepEqual(await compare(place, 'web', 'a.qcow2'), differ('web@2', 'a.qcow2'));
  assert.deepEqual(await compare(place, 'a.raw', 'b.raw'), differ('a.raw', 'b.raw'));
  const { status, stdout } = await place.run(['compare', 'web@1', 'web@2', '--json']);
  const disks = ['web@1', 'web@2'].map((label) => ({ label, size: 300_032 }));
  assert.deepEqual([status, JSON.parse(stdout)], [1, { identical: false, offset: 200_000, disks }]);
});

test('a larger disk is identical where its rest is zero, and strictly it is not', async (t) => {
  const place = new Workplace(t);
  fs.writeFileSync(join(place.directory, 'a.raw'), pattern(65_536, 1));
  fs.writeFileSync(join(place.directory, 'b.raw'), Buffer.concat([pattern(65_536, 1), Buffer.alloc(65_536)]));
  assert.deepEqual(await compare(place, 'a.raw', 'b.raw'), [
    0,
    'identical, but for their sizes: 64 KiB (65536 bytes) and 128 KiB (131072 bytes), the rest being zeros',
  ]);
  const strictly = [1, 'b.raw and a.raw differ in size: 128 KiB (131072 bytes) and 64 KiB (65536 bytes)'];
  assert.deepEqual(await compare(place, 'b.raw', 'a.raw', '--strict'), strictly);
  const { stdout } = await place.run(['compare', 'a.raw', 'b.raw', '--strict', '--json']);
  const [a, b] = JSON.parse(stdout).disks;
  assert.deepEqual([JSON.parse(stdout).identical, a.size, b.size], [false, 65_536, 131_072]);
});

test('formats can be given, and what is not there or makes no sense is told', async (t) => {
  const place = new Workplace(t);
  fs.writeFileSync(join(place.directory, 'a.raw'), pattern(65_536, 1));
  await place.varve('export', 'a.raw', 'a.qcow2');
  assert.deepEqual(await compare(place, 'a.raw', 'a.qcow2', '--format', 'raw,qcow2'), [0, 'identical']);
  assert.deepEqual((await compare(place, 'a.raw', 'a.qcow2', '--format', 'raw'))[0], 1);
  assert.match(await place.fails(2, 'compare', 'a.raw', 'a.qcow2', '--format', 'raw,raw,raw'), /one name, or two/);
  assert.match(await place.fails(2, 'compare', 'a.raw', 'a.qcow2', '--format', 'x'), /no disk format "x"/);
  assert.match(await place.fails(3, 'compare', 'a.raw', 'b.raw'), /neither a file nor an image b\.raw/);
  assert.match(await place.fails(3, 'compare', 'a.raw', './b.raw'), /cannot open \.\/b\.raw: no such file/);
  assert.match(await place.fails(3, 'compare', 'a.raw', 'web'), /there is no store/);
});
