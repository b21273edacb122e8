import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { openWritableDisk } from '../../src/image/file-disk.ts';
import { Workplace } from './varve.ts';

async function write(path: string, byte: number): Promise<void> {
  await using disk = await openWritableDisk(path);
  await disk.image.write(new Uint8Array(65536).fill(byte), 0);
  await disk.image.flush();
}

test('snapshots inside a qcow2 file are made, listed, read, gone back to and removed', async (t) => {
  const place = new Workplace(t);
  const path = join(place.directory, 'disk.qcow2');
  await place.varve('create', 'disk.qcow2', '4M');
  await write(path, 1);
  assert.equal(
    await place.varve('snapshot', './disk.qcow2', '--internal', 'first'),
    'snapshot first made inside ./disk.qcow2',
  );
  assert.match(await place.fails(4, 'snapshot', './disk.qcow2', '--internal', 'first'), /first/);
  await write(path, 2);
  const { snapshots } = await place.json('info', './disk.qcow2');
  assert.deepEqual(
    snapshots.map(({ id, name, size }: Record<string, unknown>) => [id, name, size]),
    [['1', 'first', 4 * 2 ** 20]],
  );

  await place.varve('convert', 'disk.qcow2', 'first.raw', '--internal', 'first');
  await place.varve('convert', 'disk.qcow2', 'now.raw');
  assert.equal((await place.run(['compare', './first.raw', './now.raw'])).status, 1);
  await place.varve('import', 'disk.qcow2', 'now');
  await place.varve('import', 'disk.qcow2', 'then', '--internal', '1');
  assert.equal(await place.varve('compare', 'then', './first.raw'), 'identical');
  assert.equal(await place.varve('compare', 'now', './now.raw'), 'identical');

  assert.match(await place.fails(2, 'restore', './disk.qcow2', '--internal', 'first'), /would be lost.*--discard/);
  assert.match(await place.fails(3, 'restore', './disk.qcow2', '--internal', 'second', '--discard'), /"first"/);
  await place.varve('restore', './disk.qcow2', '--internal', 'first', '--discard');
  assert.equal(await place.varve('compare', './disk.qcow2', './first.raw'), 'identical');
  await place.varve('remove', './disk.qcow2', '--internal', 'first');
  assert.deepEqual((await place.json('info', './disk.qcow2')).snapshots ?? [], []);
  await place.varve('check', './disk.qcow2');
});

test('snapshots inside a file are asked of files that have them, and not changed', async (t) => {
  const place = new Workplace(t);
  await place.varve('create', 'disk.raw', '1M');
  await place.varve('create', 'disk.qcow2', '1M');
  await place.varve('snapshot', './disk.qcow2', '--internal', 'first');
  assert.match(
    await place.fails(11, 'snapshot', './disk.raw', '--internal', 'x'),
    /raw files have no snapshots inside/,
  );
  assert.match(await place.fails(2, 'resize', 'disk.qcow2', '2M', '--internal', 'first'), /cannot change a snapshot/);
  assert.match(await place.fails(2, 'snapshot', './disk.qcow2', '--internal', 'x', '--as', 'y'), /makes no other file/);
});
