import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { openWritableDisk } from '../../src/image/file-disk.ts';
import { Workplace } from './varve.ts';

/** A place with a disk file of 1 MiB that is full of byte 1. */
async function placeWithDisk(t: TestContext): Promise<Workplace> {
  const place = new Workplace(t);
  await place.varve('create', 'disk.qcow2', '1M');
  await fill(place, 'disk.qcow2', 1);
  return place;
}

async function fill(place: Workplace, name: string, byte: number): Promise<void> {
  await using disk = await openWritableDisk(join(place.directory, name), { follow: true, force: true });
  await disk.image.write(new Uint8Array(disk.image.size).fill(byte), 0);
  await disk.image.flush();
}

/** Today as file names have it; tests run in UTC. */
function today(): string {
  return new Date().toISOString().slice(0, 10);
}

test('snapshot, log and restore keep the history of a disk file', async (t) => {
  const place = await placeWithDisk(t);
  const before = today();
  const said = await place.varve('snapshot', './disk.qcow2', '-m', 'Installed');
  const first = `disk_${today()}.qcow2`;
  if (before === today()) assert.equal(said, `disk.qcow2 -> ${first}`);
  await fill(place, 'disk.qcow2', 2);
  const second = await place.json('snapshot', 'disk.qcow2', '--as', 'changed.qcow2');
  assert.equal(second.base, join(fs.realpathSync(place.directory), 'changed.qcow2'));
  const log = await place.json('log', './disk.qcow2');
  assert.deepEqual(
    log.map(({ kind, state, message }: Record<string, unknown>) => [kind, state, message]),
    [
      ['disk', null, ''],
      ['base', 'unchanged', ''],
      ['base', 'unchanged', 'Installed'],
    ],
  );
  assert.match(await place.varve('log', './disk.qcow2'), /State: +unchanged since\n\n {4}Installed$/);
  assert.equal((await place.varve('log', './disk.qcow2', '--oneline', '-n', '2')).split('\n').length, 2);
  assert.match(await place.varve('restore', './disk.qcow2', '--to', log[2].name), /^disk\.qcow2 restored/);
  assert.equal(await place.varve('compare', './disk.qcow2', `./${log[2].name}`, '--allow', '.'), 'identical');
  await fill(place, 'disk.qcow2', 3);
  const kept = await place.json('restore', 'disk.qcow2', '--to', 'changed.qcow2', '--as', 'three.qcow2');
  assert.equal(kept.kept, join(fs.realpathSync(place.directory), 'three.qcow2'));
  assert.match(await place.fails(12, 'compare', './disk.qcow2', './changed.qcow2'), /changed\.qcow2"; give --follow/);
});

test('what others build on is not removed, resized, replaced or snapshot, and they are named', async (t) => {
  const place = await placeWithDisk(t);
  await place.varve('snapshot', './disk.qcow2', '--as', 'base.qcow2');
  fs.mkdirSync(join(place.directory, 'far'));
  await place.varve('create', 'far/other.qcow2', '--backing', 'base.qcow2');
  const named = /disk\.qcow2, .*other\.qcow2 build on it/;
  assert.match(await place.fails(6, 'remove', './base.qcow2'), named);
  assert.match(await place.fails(6, 'resize', './base.qcow2', '+1M'), named);
  assert.match(await place.fails(6, 'snapshot', './base.qcow2'), named);
  assert.match(await place.fails(6, 'create', './base.qcow2', '1M', '--force'), /disk\.qcow2 builds on it/);
  assert.match(await place.fails(6, 'commit', './disk.qcow2'), /other\.qcow2 builds on it/);
  await place.varve('flatten', 'far/other.qcow2', '--allow', '.');
  await place.varve('commit', './disk.qcow2');
  assert.equal(
    await place.varve('remove', './base.qcow2', './disk.qcow2'),
    './base.qcow2 removed\n./disk.qcow2 removed',
  );
});

test('commit, rebase and flatten say what they did', async (t) => {
  const place = await placeWithDisk(t);
  await place.varve('snapshot', './disk.qcow2', '--as', 'base.qcow2');
  await fill(place, 'disk.qcow2', 2);
  await place.varve('create', 'other.qcow2', '1M');
  assert.equal(await place.varve('commit', 'disk.qcow2'), 'disk.qcow2 committed to base.qcow2: 1 MiB; it is empty now');
  assert.equal(
    await place.varve('rebase', 'disk.qcow2', 'other.qcow2'),
    'disk.qcow2 builds on other.qcow2 now; 1 MiB copied into it',
  );
  assert.equal(
    await place.varve('rebase', 'disk.qcow2', '--none'),
    'disk.qcow2 builds on no other file now; 0 B copied into it',
  );
  assert.equal(await place.varve('compare', './disk.qcow2', './base.qcow2'), 'identical');
  const created = await place.json('create', 'top.qcow2', '--backing', 'base.qcow2');
  assert.equal(created.backing.name, 'base.qcow2');
  assert.match(await place.varve('flatten', './top.qcow2'), /^top\.qcow2 builds on no other file now; 1 MiB copied/);
  await place.varve('create', 'last.qcow2', '--backing', 'base.qcow2');
  const { deleted } = await place.json('commit', './last.qcow2', '--delete');
  assert.deepEqual([deleted, fs.existsSync(join(place.directory, 'last.qcow2'))], [true, false]);
});

test('commands of files and of images do not take each other for granted', async (t) => {
  const place = await placeWithDisk(t);
  await place.addImage('web');
  assert.match(await place.fails(2, 'commit', 'web'), /names an image of the store/);
  assert.match(await place.fails(2, 'snapshot', 'web', '--as', 'x.qcow2'), /--tag/);
  assert.match(await place.fails(2, 'snapshot', './disk.qcow2', '--tag', 'x'), /--as/);
  assert.match(await place.fails(2, 'restore', './disk.qcow2'), /--to FILE/);
  assert.match(await place.fails(2, 'restore', 'web@1', '--to', 'x'), /for disk files/);
  assert.match(await place.fails(2, 'commit', './disk.qcow2'), /builds on no other file/);
  assert.match(await place.fails(2, 'rebase', './disk.qcow2'), /--none/);
  assert.match(await place.fails(3, 'log', './nothing.qcow2'), /no such file/);
  fs.writeFileSync(join(place.directory, 'disk.img'), new Uint8Array(4096));
  assert.match(await place.fails(2, 'snapshot', './disk.img'), /--overlay disk\.qcow2|--overlay/);
});
