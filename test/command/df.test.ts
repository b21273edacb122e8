import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { fillMounted, whyNoMount } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { sampleDisk, whileMounted } from './sample-disk.ts';
import { Workplace } from './varve.ts';

const skip = skipWithout('mke2fs', 'setfattr', 'setfacl');

/** What df(1) says of a mounted file system: size, used, available, in bytes, then inodes and free ones. */
async function kernelUsage(directory: string): Promise<number[]> {
  const text = await run('df', ['-B1', '--output=size,used,avail,itotal,iavail', directory]);
  return text.trim().split('\n')[1]!.trim().split(/ +/).map(Number);
}

const kinds: { type: string; make: string[]; size: number; tolerance: number }[] = [
  { type: 'ext4', make: ['mke2fs', '-q', '-F', '-t', 'ext4'], size: 96 << 20, tolerance: 0 },
  { type: 'ext2', make: ['mke2fs', '-q', '-F', '-t', 'ext2', '-b', '1024'], size: 48 << 20, tolerance: 0 },
  { type: 'vfat', make: ['mkfs.fat', '-F', '32'], size: 48 << 20, tolerance: 0 },
  // Linux keeps a part of each allocation group back, by what features there are.
  { type: 'xfs', make: ['mkfs.xfs', '-q'], size: 320 << 20, tolerance: 4 << 20 },
];

for (const { make, size, tolerance, type } of kinds) {
  test(`varve df counts ${type} as the kernel does`, { skip: skipWithout(make[0]!) || whyNoMount(type) }, async (t) => {
    const place = new Workplace(t);
    const disk = join(place.directory, 'disk.raw');
    fs.writeFileSync(disk, '');
    fs.truncateSync(disk, size);
    await run(make[0]!, [...make.slice(1), disk]);
    await fillMounted(disk, (directory) => {
      for (let index = 0; index < 20; index++) {
        fs.writeFileSync(join(directory, `file ${index}`), Buffer.alloc(index * 10_000, index + 1));
      }
    });
    const [row] = await place.json('df', './disk.raw');
    await whileMounted(disk, async (directory) => {
      const [wantedSize, used, available, inodes, freeInodes] = await kernelUsage(directory);
      const near = (actual: number, wanted: number, what: string) =>
        assert.ok(Math.abs(actual - wanted) <= tolerance, `${what}: ${actual}, and df says ${wanted}`);
      near(row.size, wantedSize!, 'size');
      near(row.used, used!, 'used');
      near(row.available, available!, 'available');
      if (row.inodes !== undefined) assert.deepEqual(row.inodes, { count: inodes, free: freeInodes });
      assert.ok(row.inodes !== undefined || !type.startsWith('ext'));
    });
  });
}

describe('varve df', { skip }, () => {
  test('shows disks, or all images, and goes on after one that cannot be opened', async (t) => {
    const { place } = await sampleDisk(t);
    assert.match((await place.run(['df'])).stderr, /holds no images; name a disk/);
    await place.varve('import', './disk.raw', 'web');
    await place.varve('clone', 'web', 'db');
    const [first, second] = await place.json('df');
    assert.deepEqual([first.disk, second.disk, second.volume, second.mountedOn], ['db', 'web', '/dev/sda', '/']);
    assert.match(
      await place.varve('df', 'web'),
      /^DISK +VOLUME +TYPE +SIZE +USED +AVAILABLE +USE +MOUNTED ON\nweb +\/dev\/sda +ext4 .*% {2}\/$/,
    );
    assert.match(await place.varve('df', '-i', 'web'), /INODES +USED +FREE +USE/);
    assert.match(
      await place.varve('df', '--csv', './disk.raw'),
      /^disk,volume,.*\n\.\/disk\.raw,\/dev\/sda,ext4,\d+,\d+,\d+,\d+,\d+,\/$/,
    );
    assert.match(await place.varve('df', '-b', 'web'), /ext4 +\d{8} +\d{6,8} /);
    const outcome = await place.run(['df', 'nothing', 'web', '--json']);
    assert.deepEqual([outcome.status, JSON.parse(outcome.stdout).length], [3, 1]);
  });
});
