import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { describe, test } from 'node:test';
import { whyNoMount } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { sampleDisk, whileMounted } from './sample-disk.ts';

const skip = skipWithout('mke2fs', 'setfattr', 'setfacl');
const noMount = whyNoMount('ext4');

describe('varve ls', { skip }, () => {
  test('a terminal gets no escape sequences of the disk, and each name on one line', async (t) => {
    const { place } = await sampleDisk(t);
    for (const args of [
      ['ls', './disk.raw'],
      ['ls', '-lR', './disk.raw'],
      ['ls', '--csv', '-R', './disk.raw'],
      ['ls', '-R', './disk.raw', '--json'],
    ]) {
      const text = await place.varve(...args);
      assert.doesNotMatch(text, /[^\P{Cc}\n]/u, args.join(' '));
      assert.ok(text.isWellFormed());
      assert.ok(!text.includes('\ufffd'));
    }
    const names = (await place.varve('ls', './disk.raw')).split('\n');
    assert.ok(names.includes('evil \\x1b[31m red'));
    assert.ok(names.includes('\\xff\\xfe\\x80A'));
    assert.ok(names.includes('new\\nline and "quotes" and \\'));
  });

  test('is sorted as asked, by the time or size that is meant', async (t) => {
    const { place } = await sampleDisk(t);
    const bySize = (await place.varve('ls', '--sort', 'size', './disk.raw')).split('\n');
    assert.equal(bySize[0], 'with holes');
    assert.deepEqual((await place.varve('ls', '--sort', 'size', '-r', './disk.raw')).split('\n'), bySize.toReversed());
    const byTime = (await place.varve('ls', '--sort', 'time', './disk.raw')).split('\n');
    assert.equal(byTime.at(-1), 'one');
    const long = await place.varve('ls', '-l', '--time', 'accessed', '--time-style', 'full', './disk.raw:/one');
    assert.match(long, /^MODE +LINKS +OWNER +GROUP +SIZE +ACCESSED +NAME\n-rwsr-x--x/);
    assert.match(await place.varve('ls', '-l', '--time-style', 'seconds', './disk.raw:/one'), / 1234567890 +one$/);
    assert.match(
      await place.varve('ls', '-l', '--time-style', 'relative', './disk.raw:/one'),
      / \d+ d \d\d h ago +one$/,
    );
    assert.match(await place.varve('ls', '-ld', './disk.raw:/etc'), /^drwx.* etc$/m);
  });

  test('checksums are those of sha256sum, md5sum and b3sum, also of files with holes', { skip: noMount }, async (t) => {
    const { disk, place } = await sampleDisk(t);
    const found = await place.json('ls', '-R', './disk.raw', '--checksum', 'sha256');
    const sums = new Map(found.map(({ checksum, path }: { checksum: string; path: string }) => [path, checksum]));
    await whileMounted(disk, async (directory) => {
      const lines = await run('find', [
        directory,
        '-type',
        'f',
        '!',
        '-name',
        '*\n*',
        '-exec',
        'sha256sum',
        '-z',
        '{}',
        '+',
      ]);
      const wanted = lines.split('\0').filter((line) => line !== '' && !line.includes('\ufffd'));
      assert.ok(wanted.length > 20);
      for (const line of wanted) assert.equal(sums.get(line.slice(66 + directory.length)), line.slice(0, 64), line);
    });
    const one = execFileSync('md5sum', { input: '1', encoding: 'utf8' }).slice(0, 32);
    assert.equal(await place.varve('ls', '--checksum', 'md5', './disk.raw:/one'), `${one}  one`);
    const [{ checksum }] = await place.json('ls', '--checksum', 'blake3', './disk.raw:/empty');
    assert.equal(checksum, 'af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262');
  });

  test('times, owners, modes, sizes and inodes are those that the kernel shows', { skip: noMount }, async (t) => {
    const { disk, place } = await sampleDisk(t);
    const lines = (await place.varve('ls', '-R', '--csv', './disk.raw')).split('\n').slice(1);
    const found = new Map(
      lines
        .filter((line) => /^[ -~]*$/.test(line) && !/["\\]/.test(line))
        .map((line) => [line.split(',')[0], line.split(',')]),
    );
    await whileMounted(disk, async (directory) => {
      const text = await run('find', [
        directory,
        '-mindepth',
        '1',
        '-printf',
        '%P\\t%m\\t%n\\t%U\\t%G\\t%s\\t%b\\t%i\\t%T@\\0',
      ]);
      let compared = 0;
      for (const line of text.split('\0')) {
        const [name, mode, links, uid, gid, size, blocks, inode, modified] = line.split('\t');
        const fields = found.get(`/${name}`);
        if (fields === undefined) continue;
        compared += 1;
        assert.deepEqual(
          fields.slice(2, 9),
          [mode!.padStart(4, '0'), links, uid, gid, size, String(Number(blocks) * 512), inode],
          name,
        );
        assert.equal(Date.parse(`${fields[9]!.slice(0, 19)}Z`) / 1000, Math.floor(Number(modified)), name);
        assert.equal(fields[9]!.slice(20, 29), modified!.split('.')[1]!.slice(0, 9), name);
      }
      assert.ok(compared > 50, String(compared));
    });
  });
});
