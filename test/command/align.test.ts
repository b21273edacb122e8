import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

/** A disk of 16 MiB with the partitions that sfdisk makes of `script`. */
function makeDisk(place: Workplace, script: string): void {
  const disk = join(place.directory, 'disk.raw');
  fs.writeFileSync(disk, '');
  fs.truncateSync(disk, 16 << 20);
  execFileSync('sfdisk', ['-q', disk], { input: script });
}

describe('varve align', { skip: skipWithout('sfdisk') }, () => {
  test('tells each partition’s start and alignment, and the worst one by its status', async (t) => {
    const place = new Workplace(t);
    makeDisk(place, 'label: dos\nstart=63,size=1\nstart=64,size=1\nstart=1024,size=8\nstart=2048,size=2048\n');
    const { status, stdout } = await place.run(['align', './disk.raw']);
    assert.equal(status, 3);
    assert.deepEqual(
      stdout
        .trim()
        .split('\n')
        .slice(1)
        .map((line) => line.replace(/ +/g, ' ')),
      [
        '/dev/sda1 32256 512 bad (alignment < 4K)',
        '/dev/sda2 32768 32K ok',
        '/dev/sda3 524288 512K ok',
        '/dev/sda4 1048576 1024K ok',
      ],
    );
  });

  test('is content with a GPT on mebibytes, also in the store, and refuses a disk without partitions', async (t) => {
    const place = new Workplace(t);
    makeDisk(place, 'label: gpt\nsize=1MiB\nsize=2MiB\n');
    await place.varve('import', './disk.raw', 'web');
    assert.deepEqual(await place.json('align', 'web'), [
      { name: '/dev/sda1', offset: 1048576, alignment: 1048576, ok: true },
      { name: '/dev/sda2', offset: 2097152, alignment: 2097152, ok: true },
    ]);
    fs.writeFileSync(join(place.directory, 'empty.raw'), new Uint8Array(1 << 20));
    assert.match(await place.fails(11, 'align', './empty.raw'), /has no partition table/);
  });

  test('--fix writes an aligned copy, tells of it, and refuses what would be lost or of no use', async (t) => {
    const place = new Workplace(t);
    makeDisk(place, 'label: dos\nstart=63,size=1000,type=83\nstart=1063,size=5000,type=7\n');
    const file = fs.openSync(join(place.directory, 'disk.raw'), 'r+');
    fs.writeSync(file, 'NTFS    ', 1063 * 512 + 3);
    fs.closeSync(file);
    const { status, stderr, stdout } = await place.run(['align', './disk.raw', '--fix', 'new.qcow2']);
    assert.equal(status, 0, stderr);
    assert.match(stderr, /^varve: new\.qcow2: Windows knows partitions by where they start/);
    assert.match(stdout, /^\/dev\/sda2 +2097152 +2048K +ok\n.*aligned to new\.qcow2: 16 MiB as qcow2\n$/m);
    assert.match(await place.fails(4, 'align', './disk.raw', '--fix', 'new.qcow2'), /exists/);
    assert.match(await place.fails(2, 'align', './disk.raw', '--to', 'vmdk'), /--to is of no use without --fix/);
    const fixed = await place.run(['align', './new.qcow2', '--fix', 'new.raw', '--to', 'vmdk', '--json']);
    assert.deepEqual(JSON.parse(fixed.stdout), {
      ...{ disk: './new.qcow2', target: 'new.raw', format: 'vmdk', size: 16 << 20, problems: [] },
      partitions: [
        { name: '/dev/sda1', offset: 1048576, alignment: 1048576, ok: true },
        { name: '/dev/sda2', offset: 2097152, alignment: 2097152, ok: true },
      ],
    });
    await place.varve('compare', './new.qcow2', './new.raw');
  });
});
