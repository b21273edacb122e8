/* Disks that are attached, as the kernel's own file systems and other people's programs find them. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';
import { assertEqualBytes, pattern } from '../../src/conformance/device-content.ts';
import { punchHole, zeroRange } from '../../src/linux/fallocate.ts';
import { seekData, seekHole } from '../../src/linux/seek-data.ts';
import { AttachPlace, attachSkip } from '../attach/attach-place.ts';
import { skipWithout } from './require-tool.ts';

const mebibyte = 2 ** 20;

/** Space that a file takes, in bytes. */
function allocated(path: string): number {
  return fs.statSync(path).blocks * 512;
}

describe('the file of an attached disk', { skip: attachSkip || skipWithout('qemu-img') }, () => {
  for (const size of [1, 511, 4097, 3_333_333]) {
    test(`is as long as its disk of ${size} bytes, to the last one`, async (t) => {
      const place = new AttachPlace(t);
      const content = pattern(size, size);
      fs.writeFileSync(place.path('source'), content);
      const disk = await place.disk('a.raw', size);
      const file = await place.varve('attach', disk, '--file', '--format', 'raw');
      assert.equal(fs.statSync(file).size, size);
      await place.program('dd', `if=${place.path('source')}`, `of=${file}`, 'bs=7777', 'conv=fsync');
      await place.program('cp', file, place.path('copy'));
      assertEqualBytes(fs.readFileSync(place.path('copy')), content, 'cp');
      assert.throws(() => fs.appendFileSync(file, 'xy'), { code: 'ENOSPC' });
      await place.varve('detach', disk);
      assertEqualBytes(fs.readFileSync(disk), content, 'disk');
    });
  }

  test('has holes where they are, makes them, and finds them', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 8 * mebibyte);
    const file = await place.varve('attach', disk, '--file');
    const fd = fs.openSync(file, 'r+');
    fs.writeSync(fd, pattern(4 * mebibyte, 1), 0, 4 * mebibyte, 2 * mebibyte);
    assert.equal(seekData(fd, 0), 2 * mebibyte);
    assert.equal(seekHole(fd, 2 * mebibyte), 6 * mebibyte);
    assert.equal(seekData(fd, 6 * mebibyte), undefined);
    assert.equal(seekHole(fd, 7 * mebibyte), 7 * mebibyte);
    assert.equal(punchHole(fd, 3 * mebibyte, mebibyte), true);
    assert.equal(zeroRange(fd, 5 * mebibyte + 1, 1000), true);
    fs.fsyncSync(fd);
    assert.throws(() => fs.ftruncateSync(fd, 0), { code: 'EINVAL' });
    fs.closeSync(fd);
    assert.equal(allocated(disk), 3 * mebibyte);
    await place.program('cp', '--sparse=auto', file, place.path('copy'));
    assert.ok(allocated(place.path('copy')) <= 4 * mebibyte, 'cp kept the holes');
    await place.varve('detach', disk);
    const expected = new Uint8Array(8 * mebibyte);
    expected.set(pattern(4 * mebibyte, 1), 2 * mebibyte);
    expected.fill(0, 3 * mebibyte, 4 * mebibyte).fill(0, 5 * mebibyte + 1, 5 * mebibyte + 1001);
    assertEqualBytes(fs.readFileSync(disk), expected, 'disk');
    assertEqualBytes(fs.readFileSync(place.path('copy')), expected, 'copy');
  });

  test('is written by several programs at a time', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.qcow2', 8 * mebibyte);
    const file = await place.varve('attach', disk, '--file');
    const content = pattern(8 * mebibyte, 9);
    fs.writeFileSync(place.path('source'), content);
    const parts = Array.from({ length: 8 }, (_, part) => [`skip=${part}`, `seek=${part}`]);
    const copy = ['dd', `if=${place.path('source')}`, `of=${file}`, 'bs=1M', 'count=1', 'conv=notrunc,fsync'] as const;
    await Promise.all(parts.map((part) => place.program(...copy, ...part)));
    await place.varve('detach', disk);
    await place.varve('compare', disk, place.path('source'));
    await place.program('qemu-img', 'check', '-q', disk);
  });

  test('shows a disk that answers late, such as one that an NBD server exports', {
    skip: skipWithout('nbdkit'),
  }, async (t) => {
    const place = new AttachPlace(t);
    const socket = place.path('nbd.sock');
    const server = execFile('nbdkit', ['-f', '-U', socket, '--filter=delay', 'memory', '4M', 'delay-read=3ms']);
    t.after(() => server.kill());
    while (!fs.existsSync(socket)) await setTimeout(5);
    const file = await place.varve('attach', `nbd+unix:///?socket=${socket}`, '--file');
    const content = pattern(4 * mebibyte, 3);
    fs.writeFileSync(file, content);
    const copies = await Promise.all([0, 1, 2].map((index) => place.program('cp', file, place.path(`copy${index}`))));
    assert.equal(copies.length, 3);
    for (const index of [0, 1, 2]) assertEqualBytes(fs.readFileSync(place.path(`copy${index}`)), content, 'copy');
    await place.varve('detach', file);
  });

  for (const target of ['file', 'loop'] as const) {
    test(`stands fio's verification through the ${target}`, { skip: skipWithout('fio') }, async (t) => {
      const place = new AttachPlace(t);
      const disk = await place.disk('a.qcow2', 32 * mebibyte);
      const path = await place.varve('attach', disk, ...(target === 'file' ? ['--file'] : []));
      const job = [
        '--name=v',
        `--filename=${path}`,
        '--size=32M',
        '--rw=randwrite',
        '--bs=512-256k',
        '--verify=crc32c',
      ];
      await place.program(
        'fio',
        ...job,
        '--ioengine=libaio',
        '--iodepth=16',
        '--direct=1',
        '--verify_fatal=1',
        '--fsync=64',
      );
      await place.varve('detach', disk);
      await place.program('qemu-img', 'check', '-q', disk);
    });
  }

  test('is there for users who are not root, by fusermount3', {
    skip: skipWithout('fusermount3', 'setpriv'),
  }, async (t) => {
    const place = new AttachPlace(t);
    fs.chmodSync(place.directory, 0o755);
    for (const name of ['run', 'home']) {
      fs.mkdirSync(place.path(name), { mode: 0o700 });
      fs.chownSync(place.path(name), 65534, 65534);
    }
    const disk = place.path('a.raw');
    fs.writeFileSync(disk, pattern(100_001, 1));
    fs.chownSync(disk, 65534, 65534);
    const varve = join(projectDirectory, 'varve');
    // A /dev/fuse that everybody may open, as most systems have it, in a mount namespace of its own.
    const node = place.path('fuse');
    const script = `
      set -e
      mknod -m 666 ${node} c 10 229 && mount --bind ${node} /dev/fuse
      exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -ec '
        file=$(${varve} attach ${disk})
        printf changed | dd of=$file conv=notrunc,fsync status=none
        head -c 7 $file
        ${varve} detach ${disk}
        ls ${place.path('run/attached')}'`;
    const env = { ...process.env, HOME: place.path('home') };
    const { stdout } = await promisify(execFile)('unshare', ['-m', 'sh', '-c', script], { env, cwd: '/' });
    assert.equal(stdout, 'changed');
    assert.equal(fs.readFileSync(disk).subarray(0, 7).toString(), 'changed');
    fs.chownSync(place.path('run'), 0, 0);
  });
});

const fileSystems = [
  { type: 'ext4', make: ['mke2fs', '-q', '-t', 'ext4'], check: ['e2fsck', '-fn'], size: 64 * mebibyte },
  { type: 'xfs', make: ['mkfs.xfs', '-q'], check: ['xfs_repair', '-n'], size: 320 * mebibyte },
] as const;

describe('file systems of attached disks', {
  skip: attachSkip || skipWithout('qemu-img', 'mkfs.xfs', 'mke2fs'),
}, () => {
  for (const { check, make, size, type } of fileSystems) {
    for (const format of ['raw', 'qcow2']) {
      test(`${type} on ${format} is mounted, written, trimmed, unmounted and checked, again and again`, async (t) => {
        const place = new AttachPlace(t);
        const disk = await place.disk(`a.${format}`, size);
        const mounted = place.path('mnt');
        const [maker, ...makerOptions] = make;
        await place.program(maker, ...makerOptions, await place.varve('attach', disk));
        await place.varve('detach', disk);
        for (const round of [1, 2]) {
          await place.varve('mount', disk, mounted);
          for (let before = 1; before < round; before += 1) {
            assertEqualBytes(fs.readFileSync(join(mounted, `${before}`)), pattern(3_000_003, before), 'of before');
          }
          fs.writeFileSync(join(mounted, `${round}`), pattern(3_000_003, round), { flush: true });
          fs.writeFileSync(join(mounted, 'large'), pattern(20 * mebibyte, 7), { flush: true });
          const full = allocated(disk);
          fs.rmSync(join(mounted, 'large'));
          // XFS frees the blocks of a removed file some time later; by the end of a mount it has.
          await place.varve('unmount', mounted);
          await place.varve('mount', disk, mounted);
          await place.program('fstrim', mounted);
          await place.varve('unmount', mounted);
          if (format === 'raw') assert.ok(full - allocated(disk) > 15 * mebibyte, 'what was trimmed is holes');
          const loop = await place.varve('attach', disk, '--read-only');
          const [checker, ...checkerOptions] = check;
          await place.program(checker, ...checkerOptions, loop);
          await place.varve('detach', disk);
          if (format === 'qcow2') await place.program('qemu-img', 'check', '-q', disk);
        }
      });
    }
  }
});
