import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Workplace } from './varve.ts';

test('completion knows the names of filters', async (t) => {
  const place = new Workplace(t);
  const names = async (...words: string[]): Promise<string[]> => {
    const lines = (await place.varve('complete', '--', ...words)).split('\n');
    return lines.flatMap((line) => (line.startsWith(':') ? [] : [line.split('\t')[0] ?? '']));
  };
  assert.deepEqual(await names('map', './disk.raw', '--filter', 're'), ['readonly', 'readahead', 'retry']);
  assert.deepEqual(await names('serve', '--filter=par'), ['--filter=partition']);
});

test('--filter is in the help of whatever reads disks, and of nothing else', async (t) => {
  const place = new Workplace(t);
  const commands = ['compare', 'convert', 'copy', 'diff', 'export', 'import', 'info', 'map', 'measure', 'serve'];
  const looked = [...commands, 'resize', 'check'].map(async (name) => {
    const help = await place.varve(name, '--help');
    assert.equal(help.includes('--filter <filter>'), commands.includes(name), name);
  });
  await Promise.all(looked);
});

test('commands see the disk through filters', async (t) => {
  const place = new Workplace(t);
  const content = Buffer.alloc(3 * 2 ** 20);
  content.fill('a', 2 ** 20, 2 ** 20 + 65_536);
  writeFileSync(join(place.directory, 'disk.raw'), content);
  const through = ['--filter', 'offset=1M', '--filter', 'truncate=1M'];
  assert.deepEqual(await place.json('info', './disk.raw', ...through), {
    ...{ kind: 'file', path: './disk.raw', filters: ['offset=1M', 'truncate=1M'], format: 'raw', virtualSize: 2 ** 20 },
  });
  const map = await place.json('map', './disk.raw', ...through);
  assert.deepEqual([map[0].start, map[0].length, map[0].data], [0, 2 ** 20, true]);
  await place.varve('convert', './disk.raw', './part.qcow2', ...through);
  assert.equal((await place.json('info', './part.qcow2')).virtualSize, 2 ** 20);
  const compared = await place.json('compare', './disk.raw', './disk.raw', ...through);
  assert.deepEqual(
    compared.disks.map(({ size }: { size: number }) => size),
    [2 ** 20, 2 ** 20],
  );
  assert.deepEqual(await place.json('measure', './disk.raw', '--to', 'raw', ...through), {
    ...{ format: 'raw', required: 2 ** 20, fullyAllocated: 2 ** 20 },
  });
});
