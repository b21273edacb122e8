import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { Workplace } from './varve.ts';

test('status tells what the store holds, and gc gives back what nothing needs', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  await place.addImage('db', { chunks: [0, 5, 6], fill: 7 });
  assert.match(
    await place.varve('status'),
    /^Store: +\/.*\/store\nImages: +2, 2 MiB of disks\nSnapshots: +2\nPacks: +\d+ B in 2 files, \d+ chunks\nCatalog: +\d+ KiB$/,
  );
  const before = await place.json('status');
  await place.varve('remove', 'db');
  const estimate = await place.json('gc', '--dry-run');
  assert.ok(estimate.freedBytes > 0 && estimate.deletedChunks > 0);
  assert.equal((await place.json('status')).packBytes, before.packBytes);
  assert.match(await place.varve('gc'), /^Freed \d+ B: \d+ chunks? that nothing needed/);
  const after = await place.json('status');
  assert.ok(after.packBytes < before.packBytes && after.chunkCount < before.chunkCount);
  assert.match(await place.varve('verify'), /^Checked 1 snapshot, .*: all is well\.$/);
});

test('verify names what a damaged pack hurts, and ends with status 10', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web', { chunks: [2] });
  const packs = fs.readdirSync(join(place.store, 'packs'), { recursive: true, encoding: 'utf8' });
  const pack = join(place.store, 'packs', packs.find((name) => name.endsWith('.pack')) as string);
  const bytes = fs.readFileSync(pack);
  const middle = Math.floor(bytes.length / 3);
  bytes[middle] = (bytes[middle] as number) ^ 1;
  fs.chmodSync(pack, 0o644);
  fs.writeFileSync(pack, bytes);
  const { status, stdout, stderr } = await place.run(['verify']);
  assert.equal(status, 10);
  assert.match(stdout, /web@1: .* cannot be read/);
  assert.match(stderr, /^varve: the store .* is damaged: \d+ problems?, listed above\n$/);
  const { problems } = JSON.parse((await place.run(['verify', '--json'])).stdout);
  const damaged = problems.flatMap((problem: { damaged: object[] }) => problem.damaged);
  assert.ok(damaged.length > 0);
  assert.deepEqual(Object.keys(damaged[0]), ['image', 'number', 'offset', 'length']);
});

test('verify --rebuild makes a lost catalog anew', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  await place.varve('snapshot', 'web', '-m', 'second', '--tag', 'v2');
  const before = await place.json('log', 'web');
  for (const suffix of ['', '-wal', '-shm']) fs.rmSync(join(place.store, `catalog.sqlite${suffix}`), { force: true });
  assert.match(await place.fails(10, 'list'), /lost its catalog; varve verify --rebuild/);
  assert.match(
    await place.varve('verify', '--rebuild'),
    /^The catalog is new: 1 image with 2 snapshots, from 1 pack\.\nChecked 2 snapshots, .*: all is well\.$/,
  );
  assert.deepEqual(await place.json('log', 'web'), before);
});

test('prune shows what stays and why, removes the rest, and spares what is newest or tagged', async (t) => {
  const place = new Workplace(t);
  await place.addImage('web');
  for (const day of ['03-01', '03-02', '03-03'])
    await place.varve('snapshot', 'web', '--date', `2025-${day}`, '-m', day);
  await place.varve('tag', 'web@2', 'keep-me');
  const rules = ['prune', 'web', '--keep-last', '1', '--keep-monthly', '2'];
  const table = [
    '        SNAPSHOT  TIME                  WHY                    MESSAGE',
    'keep    web@4     2025-03-03T00:00:00Z  newest, last, monthly  03-03',
    'remove  web@3     2025-03-02T00:00:00Z                         03-02',
    'keep    web@2     2025-03-01T00:00:00Z  tag keep-me            03-01',
    'keep    web@1     2025-01-02T03:04:05Z  monthly                Image web',
    '',
  ].join('\n');
  assert.equal(await place.varve(...rules, '--dry-run'), `${table}\nWould remove 1 snapshot of web; 3 kept.`);
  assert.equal((await place.json('log', 'web')).length, 4);
  assert.equal(
    await place.varve(...rules),
    `${table}\nRemoved 1 snapshot of web; 3 kept. varve gc gives their space back.`,
  );
  const { snapshots } = await place.json('prune', 'web', '--keep-last', '1', '--include-tagged');
  assert.deepEqual(
    snapshots.map(({ reference, keep }: { reference: string; keep: boolean }) => [reference, keep]),
    [
      ['web@4', true],
      ['web@2', false],
      ['web@1', false],
    ],
  );
  assert.equal((await place.json('log', 'web')).length, 1);
});
