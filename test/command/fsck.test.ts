import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { whyNoMount } from '../filesystem/mounted-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const skip = whyNoMount('ext4') || skipWithout('sfdisk', 'mke2fs', 'e2fsck', 'mkfs.fat', 'debugfs');
const mebibyte = 1 << 20;

/** A disk with an ext4 and a FAT file system. */
function makeDisk(place: Workplace): string {
  const disk = join(place.directory, 'disk.raw');
  fs.writeFileSync(disk, '');
  fs.truncateSync(disk, 32 * mebibyte);
  execFileSync('sfdisk', ['-q', disk], { input: 'label: gpt\nstart=2048,size=16MiB\nsize=8MiB\n' });
  const at = (offset: number) => ['-E', `offset=${offset}`];
  execFileSync('mke2fs', ['-q', '-F', '-t', 'ext4', ...at(mebibyte), disk, '16M']);
  execFileSync('mkfs.fat', ['--offset', String((17 * mebibyte) / 512), disk, '8192'], { stdio: 'ignore' });
  return disk;
}

describe('varve fsck', { skip }, () => {
  test('lets each file system’s own checker look, and changes nothing', async (t) => {
    const place = new Workplace(t);
    const disk = makeDisk(place);
    const before = fs.readFileSync(disk);
    assert.deepEqual(
      (await place.json('fsck', './disk.raw')).map(({ checker, clean, type, volume }: Record<string, unknown>) => [
        volume,
        type,
        checker,
        clean,
      ]),
      [
        ['/dev/sda1', 'ext4', 'e2fsck', true],
        ['/dev/sda2', 'vfat', 'fsck.fat', true],
      ],
    );
    assert.ok(fs.readFileSync(disk).equals(before));
  });

  test('says by its status which snapshot is broken', async (t) => {
    const place = new Workplace(t);
    const disk = makeDisk(place);
    await place.varve('import', './disk.raw', 'web');
    // The number of names of the root directory's inode.
    execFileSync('debugfs', ['-w', '-R', 'sif / links_count 9', `${disk}?offset=${mebibyte}`], { stdio: 'ignore' });
    await place.varve('import', '--update', './disk.raw', 'web');
    assert.match(await place.varve('fsck', 'web@1'), /^web@1, \/dev\/sda1 \(ext4\): clean\nweb@1, .*clean$/);
    const { status, stdout } = await place.run(['fsck', 'web']);
    assert.equal(status, 10);
    assert.match(
      stdout,
      /^web@2, \/dev\/sda1 \(ext4\): e2fsck finds it wrong\n[\s\S]* {2}.*ref count is 9, should be 3/,
    );
    assert.match(stdout, /\/dev\/sda2 \(vfat\): clean\n$/);
  });
});
