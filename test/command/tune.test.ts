import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { whyNoMount } from '../filesystem/mounted-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const skip = whyNoMount('ext4') || skipWithout('sfdisk', 'mke2fs', 'tune2fs', 'e2fsck');
const mebibyte = 1 << 20;

/** A disk with an ext4 file system in a partition. */
function makeDisk(place: Workplace, name: string): string {
  const disk = join(place.directory, name);
  fs.writeFileSync(disk, '');
  fs.truncateSync(disk, 16 * mebibyte);
  execFileSync('sfdisk', ['-q', disk], { input: 'label: gpt\nstart=2048,size=8MiB\n' });
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', '-E', `offset=${mebibyte}`, disk, '8M']);
  return disk;
}

interface Shown {
  readonly disk: string;
  readonly days: number | null;
  readonly due: string | null;
  readonly mounts: number;
  readonly mostMounts: number | null;
}

describe('varve tune', { skip }, () => {
  test('staggers the checks of images, each as a new snapshot, and takes them away again', async (t) => {
    const place = new Workplace(t);
    makeDisk(place, 'disk.raw');
    await place.varve('import', './disk.raw', 'web');
    for (const name of ['db', 'mail']) await place.varve('clone', 'web', name);
    const disks = ['web', 'db', 'mail'];
    assert.deepEqual(
      (await place.json('tune', ...disks)).map(({ days, disk, mostMounts }: Shown) => [disk, days, mostMounts]),
      disks.map((disk) => [disk, null, null]),
    );
    const tuned: Shown[] = await place.json('tune', ...disks, '--checks', '30', '--mounts', '9');
    assert.deepEqual(
      tuned.map(({ days, mostMounts, mounts }) => [days, mostMounts, mounts]),
      [6, 3, 0].map((mounts) => [30, 9, mounts]),
    );
    const dueDays = tuned.map(({ due }) => Math.round((Date.parse(due!) - Date.parse(tuned[0]!.due!)) / 86_400_000));
    assert.deepEqual(dueDays, [0, 10, 20]);
    assert.equal((await place.json('log', 'db')).length, 2);
    assert.match(await place.varve('fsck', 'db'), /: clean$/);
    const off: Shown[] = await place.json('tune', 'web', '--off');
    assert.deepEqual([off[0]!.days, off[0]!.mostMounts], [null, null]);
  });

  test('changes a disk file as tune2fs shows it, and refuses what cannot be', async (t) => {
    const place = new Workplace(t);
    const disk = makeDisk(place, 'disk.raw');
    await place.json('tune', './disk.raw', '--checks', '7');
    assert.match(
      execFileSync('tune2fs', ['-l', `${disk}?offset=${mebibyte}`], { encoding: 'utf8' }),
      /Check interval: +604800 /,
    );
    assert.match(
      await place.varve('tune', './disk.raw'),
      /^DISK .*\n\.\/disk\.raw +\/dev\/sda1 .* 7 d +\d{4}-\d\d-\d\d$/,
    );
    assert.match(await place.fails(2, 'tune', './disk.raw', '--off', '--mounts', '3'), /leave out/);
    fs.writeFileSync(join(place.directory, 'empty.raw'), new Uint8Array(mebibyte));
    assert.match(await place.fails(11, 'tune', './empty.raw', '--off'), /no ext file system/);
  });
});
