import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { assertEqualBytes, pattern } from '../../src/conformance/device-content.ts';
import { AttachPlace, attachSkip, type ListedAttachment } from '../attach/attach-place.ts';
import { untilGone } from '../process/until-gone.ts';

describe('varve attach', { skip: attachSkip }, () => {
  test('shows a disk as a block device, until it is detached by any of its names', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 2 ** 20);
    for (const nameOf of [(path: string) => path, () => disk]) {
      const path = await place.varve('attach', disk);
      assert.match(path, /^\/dev\/loop\d+$/);
      const [listed, ...others] = await place.attached();
      assert.deepEqual(others, []);
      assert.deepEqual([listed!.disk, listed!.path, listed!.size, listed!.access], [disk, path, 2 ** 20, 'writable']);
      fs.writeFileSync(path, pattern(4096, 5));
      await place.varve('detach', nameOf(path));
      assert.deepEqual(await place.attached(), []);
      assert.deepEqual(fs.readdirSync(place.path('run/attached')), []);
      assertEqualBytes(fs.readFileSync(disk).subarray(0, 4096), pattern(4096, 5), 'what was written');
    }
  });

  test('a disk is held by one only, and the holder is named', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 2 ** 20);
    await place.varve('attach', disk, '--file');
    const [{ holder }] = (await place.attached()) as [ListedAttachment];
    const message = await place.work.fails(6, 'attach', disk);
    assert.match(message, new RegExp(`a\\.raw: varve-attach \\(process ${holder}\\) has it open`));
    assert.equal((await place.attached()).length, 1);
  });

  test('with --file, --read-only and --ephemeral', async (t) => {
    const place = new AttachPlace(t);
    const disk = place.path('a.raw');
    fs.writeFileSync(disk, pattern(100_001, 1));
    const file = await place.varve('attach', disk, '--file', '--read-only');
    assertEqualBytes(fs.readFileSync(file), pattern(100_001, 1), 'content');
    assert.throws(() => fs.openSync(file, 'r+'), { code: 'EROFS' });
    await place.varve('detach', file);
    const other = await place.varve('attach', disk, '--file', '--ephemeral');
    fs.writeFileSync(other, pattern(100_001, 2));
    assertEqualBytes(fs.readFileSync(other), pattern(100_001, 2), 'overlay');
    await place.varve('detach', disk);
    assertEqualBytes(fs.readFileSync(disk), pattern(100_001, 1), 'below');
    assert.match(await place.work.fails(2, 'attach', disk, '--read-only', '--ephemeral'), /do not go together/);
  });

  test('snapshots are read, and written to an overlay with --ephemeral', async (t) => {
    const place = new AttachPlace(t);
    await place.work.addImage('web', { fill: 7 });
    const { status, stderr, stdout } = await place.work.run(['attach', 'web@1', '--file']);
    assert.equal(status, 0);
    assert.equal(
      stderr,
      'varve: web@1 is attached to be read; with --ephemeral it can be written to, until it is detached\n',
    );
    const file = stdout.trim();
    assert.deepEqual([...fs.readFileSync(file).subarray(0, 2)], [7, 7]);
    const loop = await place.varve('attach', 'web@1', '--ephemeral');
    fs.writeFileSync(loop, pattern(8192, 3));
    assert.deepEqual([...fs.readFileSync(file).subarray(0, 2)], [7, 7]);
    assert.match(await place.work.fails(2, 'detach', 'web@1'), /web@1 is attached 2 times; say which one/);
    await place.varve('detach', loop);
    await place.varve('detach', file);
  });

  test('images are written to, and snapshots of them taken meanwhile', async (t) => {
    const place = new AttachPlace(t);
    await place.work.addImage('web', { fill: 7, size: 16 * 2 ** 20 });
    const loop = await place.varve('attach', 'web');
    await place.program('mke2fs', '-q', '-F', '-t', 'ext4', loop);
    await place.varve('mount', 'web', place.path('mnt'));
    for (const number of [2, 3]) {
      fs.writeFileSync(join(place.path('mnt'), 'number'), String(number));
      await place.program('sync', '-f', place.path('mnt'));
      await place.varve('snapshot', 'web', '-m', `Number ${number}`);
    }
    assert.match(await place.work.fails(6, 'discard', 'web'), /web/);
    assert.match(await place.work.fails(6, 'attach', 'web'), /web/);
    await place.varve('unmount', place.path('mnt'));
    await place.varve('detach', loop);
    for (const number of [2, 3]) {
      await place.varve('mount', `web@${number}`, place.path('mnt'), '--ephemeral');
      assert.equal(fs.readFileSync(join(place.path('mnt'), 'number'), 'utf8'), String(number));
      await place.varve('unmount', place.path('mnt'));
    }
    await place.varve('attach', 'web', '--file');
    const [{ holder }] = (await place.attached()) as [ListedAttachment];
    process.kill(holder, 'SIGKILL');
    await untilGone(`/proc/${holder}/fd/0`);
    assert.match((await place.work.run(['attach', 'web', '--file'])).stderr, /what held web died/);
    await place.varve('detach', 'web');
  });

  test('what cannot be attached leaves nothing behind', async (t) => {
    const place = new AttachPlace(t);
    assert.match(await place.work.fails(3, 'attach', './missing.raw'), /missing\.raw: no such file/);
    assert.match(await place.work.fails(3, 'attach', 'web'), /web|store/);
    assert.match(await place.work.fails(3, 'detach', './missing.raw'), /is not attached; varve list --attached/);
    assert.deepEqual(fs.readdirSync(place.path('run/attached')), []);
  });

  test('--foreground stays until it is told to stop, and leaves nothing behind', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 2 ** 20);
    const outcome = await place.work.run(['attach', disk, '--foreground'], {
      started: (child) => child.stdout?.once('data', () => child.kill('SIGTERM')),
    });
    assert.equal(outcome.status, 0, outcome.stderr);
    assert.match(outcome.stdout, /^\/dev\/loop\d+\n$/);
    assert.deepEqual(await place.attached(), []);
    assert.deepEqual(fs.readdirSync(place.path('run/attached')), []);
  });

  test('a block device has the sectors that are asked for', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 2 ** 20);
    const loop = await place.varve('attach', disk, '--sector-size', '4096');
    assert.equal((await place.work.json('block', 'caps', loop)).logicalSectorSize, 4096);
    await place.varve('detach', loop);
    assert.match(await place.work.fails(13, 'attach', disk, '--sector-size', '1000'), /attach .*EINVAL/);
    assert.deepEqual(await place.attached(), []);
  });

  test('filters are seen through, and what others mount is not mixed up with it', async (t) => {
    const place = new AttachPlace(t);
    const disk = place.path('a.raw');
    fs.writeFileSync(disk, pattern(2 ** 20, 1));
    const file = await place.varve('attach', disk, '--file', '--filter', 'offset=65536', '--read-only');
    assertEqualBytes(fs.readFileSync(file), pattern(2 ** 20, 1).subarray(65536), 'through the filter');
    await place.program('mke2fs', '-q', '-F', '-t', 'ext4', await place.disk('b.raw', 16 * 2 ** 20));
    await place.varve('attach', place.path('b.raw'), '--file', '--ephemeral', '--filter', 'truncate=8M');
    await place.varve('mount', place.path('b.raw'), place.path('mnt'), '--read-only');
    assert.equal((await place.attached()).length, 3);
    await place.varve('unmount', place.path('mnt'));
  });

  test('several are attached and detached at the same time', async (t) => {
    const place = new AttachPlace(t);
    const disks = await Promise.all([0, 1, 2, 3].map((index) => place.disk(`${index}.raw`, 2 ** 20)));
    const paths = await Promise.all(disks.map((disk) => place.varve('attach', disk)));
    assert.equal(new Set(paths).size, 4);
    for (const [index, path] of paths.entries()) fs.writeFileSync(path, pattern(4096, index));
    await Promise.all(paths.map((path) => place.varve('detach', path)));
    for (const [index, disk] of disks.entries()) {
      assertEqualBytes(fs.readFileSync(disk).subarray(0, 4096), pattern(4096, index), disk);
    }
  });

  test('after kill -9 of the holder the next command takes away what is left', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 16 * 2 ** 20);
    const loop = await place.varve('attach', disk);
    await place.program('mke2fs', '-q', '-t', 'ext4', loop);
    await place.varve('mount', disk, place.path('mnt'));
    fs.writeFileSync(join(place.path('mnt'), 'kept'), 'kept');
    await place.program('sync', '-f', place.path('mnt'));
    const [{ holder, file }] = (await place.attached()) as [ListedAttachment];
    process.kill(holder, 'SIGKILL');
    await untilGone(`/proc/${holder}/fd/0`);
    assert.throws(() => fs.readFileSync(file));
    const { stderr, stdout } = await place.work.run(['list', '--attached', '--json']);
    assert.equal(stderr, `varve: what held ${disk} died; what it left was taken away\n`);
    assert.deepEqual(JSON.parse(stdout), []);
    assert.deepEqual(fs.readdirSync(place.path('run/attached')), []);
    assert.doesNotMatch(fs.readFileSync('/proc/mounts', 'utf8'), new RegExp(place.directory));
    await place.varve('mount', disk, place.path('mnt'));
    assert.equal(fs.readFileSync(join(place.path('mnt'), 'kept'), 'utf8'), 'kept');
    await place.varve('unmount', place.path('mnt'));
  });

  test('a mounted disk is not detached but by force', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 16 * 2 ** 20);
    const loop = await place.varve('attach', disk);
    await place.program('mke2fs', '-q', '-t', 'ext4', loop);
    await place.varve('mount', disk, place.path('mnt'));
    const message = await place.work.fails(6, 'detach', loop);
    assert.match(message, /it is mounted on .*mnt; varve unmount/);
    await place.varve('detach', loop, '--force');
    assert.deepEqual(await place.attached(), []);
    await place.program('e2fsck', '-fn', disk);
  });

  test('a kernel that reports a failing disk gets EIO, and the log says why', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.qcow2', 2 ** 20);
    await place.program('qemu-io', '-c', 'write -P 1 0 64k', disk);
    const file = await place.varve('attach', disk, '--file');
    // The cluster's place in the file, which is cut off behind its holder's back.
    fs.truncateSync(disk, 4 * 65536);
    assert.throws(() => fs.readFileSync(file), { code: 'EIO' });
    assert.match(fs.readFileSync(join(place.path('run/attached'), 'a.qcow2', 'log'), 'utf8'), /a\.qcow2/);
    await place.work.run(['detach', file]);
  });
});

describe('varve mount', { skip: attachSkip }, () => {
  test('mounts a partition, a directory of it, and several at a time', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.qcow2', 64 * 2 ** 20);
    const loop = await place.varve('attach', disk);
    const table = 'label: gpt\nstart=2048,size=40960\nstart=43008,size=40960\n';
    fs.writeFileSync(place.path('table'), table);
    await place.program('sh', '-c', `sfdisk -q --no-reread --no-tell-kernel ${loop} < ${place.path('table')}`);
    await place.varve('detach', loop);
    for (const [index, offset] of [2048, 43008].entries()) {
      const file = await place.varve('attach', disk, '--file');
      await place.program('mke2fs', '-q', '-t', 'ext4', '-E', `offset=${offset * 512}`, file, '20480k');
      await place.varve('detach', disk);
      await place.varve('mount', disk, place.path('mnt'), '--partition', String(index + 1));
      fs.mkdirSync(join(place.path('mnt'), 'etc'));
      fs.writeFileSync(join(place.path('mnt'), 'etc', 'number'), String(index + 1));
      await place.varve('unmount', place.path('mnt'));
    }
    fs.mkdirSync(place.path('second'));
    await place.varve('mount', `${disk}:/etc`, place.path('mnt'), '--partition', '1');
    await place.varve('mount', disk, place.path('second'), '--offset', String(43008 * 512), '-o', 'ro,noatime');
    assert.equal(fs.readFileSync(join(place.path('mnt'), 'number'), 'utf8'), '1');
    assert.equal(fs.readFileSync(join(place.path('second'), 'etc', 'number'), 'utf8'), '2');
    assert.throws(() => fs.writeFileSync(join(place.path('second'), 'new'), ''), { code: 'EROFS' });
    assert.equal((await place.attached()).length, 1);
    await place.varve('unmount', place.path('mnt'));
    await place.varve('unmount', place.path('second'));
    assert.deepEqual(await place.attached(), []);
    assert.match(await place.work.fails(3, 'mount', disk, place.path('mnt'), '--partition', '3'), /it has 1, 2$/);
    assert.deepEqual(await place.attached(), []);
  });

  test('mounts a Btrfs, which shows another device number than its own', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 128 * 2 ** 20);
    await place.program('mkfs.btrfs', '-q', disk);
    await place.varve('mount', disk, place.path('mnt'));
    fs.writeFileSync(join(place.path('mnt'), 'here'), 'on Btrfs');
    await place.varve('unmount', place.path('mnt'));
    assert.equal(await place.varve('cat', `${disk}:/here`), 'on Btrfs');
    assert.deepEqual(JSON.parse(await place.varve('list', '--attached', '--json')).attached ?? [], []);
  });

  test('a symbolic link inside the disk leads nowhere else', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 16 * 2 ** 20);
    await place.program('mke2fs', '-q', '-t', 'ext4', disk);
    await place.varve('mount', disk, place.path('mnt'));
    fs.symlinkSync('/etc', join(place.path('mnt'), 'out'));
    await place.varve('unmount', place.path('mnt'));
    assert.match(await place.work.fails(12, 'mount', `${disk}:/out`, place.path('mnt')), /leads out of the disk/);
    assert.match(await place.work.fails(3, 'mount', `${disk}:/none`, place.path('mnt')), /no such file or directory/);
    assert.deepEqual(await place.attached(), []);
  });

  test('what is no file system, and what is not mounted, is said', async (t) => {
    const place = new AttachPlace(t);
    const disk = await place.disk('a.raw', 2 ** 20);
    assert.match(
      await place.work.fails(13, 'mount', disk, place.path('mnt')),
      /cannot mount the file system: .*wrong fs type/,
    );
    assert.deepEqual(await place.attached(), []);
    assert.match(await place.work.fails(2, 'unmount', place.path('mnt')), /nothing is mounted there by varve mount/);
  });
});
