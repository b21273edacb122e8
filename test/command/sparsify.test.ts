import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { pattern } from '../../src/conformance/device-content.ts';
import { fillMounted, whyNoMount } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { mountRamfs } from './tmpfs.ts';
import { Workplace } from './varve.ts';

const mebibyte = 2 ** 20;
const skip = skipWithout('mke2fs', 'e2fsck', 'debugfs', 'mkfs.fat', 'mkswap', 'sfdisk', 'qemu-img');

/** An ext4 of 64 MiB in `disk.raw`, of which 20 MiB were written and deleted. */
async function makeDisk(t: TestContext): Promise<{ place: Workplace; disk: string }> {
  const place = new Workplace(t);
  const disk = join(place.directory, 'disk.raw');
  await makeExt4(disk, place.directory);
  return { place, disk };
}

async function makeExt4(path: string, directory: string, size = 64): Promise<void> {
  const kept = join(directory, 'kept');
  const deleted = join(directory, 'deleted');
  fs.writeFileSync(kept, pattern(3 * mebibyte, 1));
  fs.writeFileSync(deleted, pattern(20 * mebibyte, 2));
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', path, `${size}M`]);
  for (const command of [`write ${kept} kept`, `write ${deleted} deleted`, 'rm deleted']) {
    await run('debugfs', ['-w', '-R', command, path]);
  }
}

const storedMebibytes = (path: string) => (fs.statSync(path).blocks * 512) / mebibyte;
const finished = 'Sparsify in-place operation completed with no errors.';

describe('varve sparsify', { skip }, () => {
  test('gives back what an ext4 does not use, and harms nothing', async (t) => {
    const { place, disk } = await makeDisk(t);
    const before = storedMebibytes(disk);
    assert.ok(before > 23);
    const printed = await place.varve('sparsify', '--in-place', './disk.raw');
    assert.match(printed, /^Trimming \/dev\/sda …\nSparsify in-place operation completed with no errors\.\nIt took /);
    assert.ok(storedMebibytes(disk) < before - 19, `${storedMebibytes(disk)} MiB`);
    execFileSync('e2fsck', ['-fn', disk], { stdio: 'pipe' });
    const kept = execFileSync('debugfs', ['-R', 'cat kept', disk], { stdio: 'pipe', maxBuffer: 64 * mebibyte });
    assert.ok(kept.equals(pattern(3 * mebibyte, 1)));
  });

  test('frees the clusters of a qcow2 file, and their space', async (t) => {
    const { place, disk } = await makeDisk(t);
    const image = join(place.directory, 'disk.qcow2');
    execFileSync('qemu-img', ['convert', '-O', 'qcow2', disk, image]);
    const before = storedMebibytes(image);
    await place.varve('sparsify', '--in-place', image);
    assert.ok(storedMebibytes(image) < before - 19);
    execFileSync('qemu-img', ['check', '-q', image]);
    execFileSync('qemu-img', ['convert', '-O', 'raw', image, disk]);
    execFileSync('e2fsck', ['-fn', disk], { stdio: 'pipe' });
  });

  test('makes a new snapshot of an image in the store', async (t) => {
    const { place } = await makeDisk(t);
    await place.varve('import', './disk.raw', 'web');
    const printed = await place.varve('sparsify', '--in-place', 'web');
    assert.equal(printed, `Trimming /dev/sda …\n${finished}\nweb@2 is what is left.`);
    await place.varve('export', 'web@2', 'out.raw');
    const out = join(place.directory, 'out.raw');
    assert.ok(storedMebibytes(out) < 10);
    execFileSync('e2fsck', ['-fn', out], { stdio: 'pipe' });
    const first = JSON.parse(await place.varve('info', 'web@1', '--json')).dataLength;
    const second = JSON.parse(await place.varve('info', 'web@2', '--json')).dataLength;
    assert.ok(first - second > 19 * mebibyte, `${first} and ${second} bytes`);
  });

  const skipXfs = skipWithout('mkfs.xfs', 'xfs_repair') || whyNoMount('xfs');
  test('gives back what an xfs does not use, and harms nothing', { skip: skipXfs }, async (t) => {
    const place = new Workplace(t);
    const disk = join(place.directory, 'disk.raw');
    fs.writeFileSync(disk, '');
    fs.truncateSync(disk, 64 * mebibyte);
    await run('mkfs.xfs', ['-q', '--unsupported', disk]);
    await fillMounted(disk, async (directory) => {
      fs.writeFileSync(join(directory, 'kept'), pattern(3 * mebibyte, 1));
      fs.writeFileSync(join(directory, 'deleted'), pattern(20 * mebibyte, 2));
      await run('sync', ['-f', directory]);
      fs.rmSync(join(directory, 'deleted'));
    });
    const before = storedMebibytes(disk);
    await place.varve('sparsify', '--in-place', './disk.raw');
    assert.ok(storedMebibytes(disk) < before - 19, `${storedMebibytes(disk)} MiB of ${before}`);
    await run('xfs_repair', ['-n', '-f', disk]);
    await fillMounted(disk, (directory) => {
      assert.ok(fs.readFileSync(join(directory, 'kept')).equals(pattern(3 * mebibyte, 1)));
    });
  });

  test('does each partition by itself: FAT, swap, what is unknown, dirty or to be ignored', async (t) => {
    const place = new Workplace(t);
    const disk = join(place.directory, 'disk.raw');
    const script = ['label: gpt', ...[64, 64, 40, 16, 16].map((size) => `size=${size}MiB`)].join('\n');
    fs.writeFileSync(disk, '');
    fs.truncateSync(disk, 220 * mebibyte);
    execFileSync('sfdisk', ['-q', disk], { input: script, stdio: 'pipe' });
    const part = join(place.directory, 'part');
    const put = (index: number, start: number) => {
      const bytes = fs.readFileSync(part);
      const file = fs.openSync(disk, 'r+');
      fs.writeSync(file, bytes, 0, bytes.length, start * mebibyte);
      fs.closeSync(file);
      fs.rmSync(part);
      return [index, start];
    };
    await makeExt4(part, place.directory);
    put(1, 1);
    await makeExt4(part, place.directory);
    put(2, 65);
    await run('mkfs.fat', ['-C', part, String(40 * 1024)]);
    fs.writeFileSync(join(place.directory, 'note'), 'on FAT');
    await run('mcopy', ['-i', part, join(place.directory, 'note'), '::/note']);
    put(3, 129);
    fs.writeFileSync(part, pattern(16 * mebibyte, 9));
    await run('mkswap', ['-q', '-L', 'swapped', '-U', '0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0', part]);
    const swapHeader = fs.readFileSync(part).subarray(0, 4096);
    put(4, 169);
    fs.writeFileSync(part, pattern(16 * mebibyte, 8));
    put(5, 185);
    const before = fs.readFileSync(disk);
    const printed = await place.varve('sparsify', '--in-place', './disk.raw', '--ignore', '/dev/sda2');
    assert.deepEqual(printed.split('\n').slice(0, 5), [
      'Trimming /dev/sda1 …',
      'Trimming /dev/sda3 …',
      'Clearing Linux swap on /dev/sda4 …',
      'Leaving /dev/sda5 alone: it holds no file system that is known here.',
      finished,
    ]);
    const after = fs.readFileSync(disk);
    const same = (start: number, end: number) =>
      after.subarray(start * mebibyte, end * mebibyte).equals(before.subarray(start * mebibyte, end * mebibyte));
    assert.ok(same(65, 129), 'the ignored partition');
    assert.ok(same(185, 220), 'the unknown partition, and the copy of the table');
    assert.ok(after.subarray(169 * mebibyte, 169 * mebibyte + 4096).equals(swapHeader));
    assert.ok(after.subarray(169 * mebibyte + 4096, 185 * mebibyte).every((byte) => byte === 0));
    const read = execFileSync('mtype', ['-i', `${disk}@@${129 * mebibyte}`, '::/note'], { encoding: 'utf8' });
    assert.equal(read, 'on FAT');
    execFileSync('sfdisk', ['-q', '--verify', disk], { stdio: 'pipe' });
    fs.writeFileSync(part, after.subarray(mebibyte, 65 * mebibyte));
    execFileSync('e2fsck', ['-fn', part], { stdio: 'pipe' });
  });

  test('leaves a file system alone that was not unmounted, and names it', async (t) => {
    const { place, disk } = await makeDisk(t);
    await run('debugfs', ['-w', '-R', 'set_super_value state 0', disk]);
    const before = storedMebibytes(disk);
    const printed = await place.varve('sparsify', '--in-place', './disk.raw');
    assert.match(printed, /^Leaving \/dev\/sda alone: it holds a file system \(ext4\) that was not unmounted/);
    assert.equal(storedMebibytes(disk), before);
  });

  test('refuses a disk in use, and one that it cannot know', async (t) => {
    const { place, disk } = await makeDisk(t);
    const ignored = await place.run(['sparsify', '--in-place', './disk.raw', '--ignore', '/dev/sda7']);
    assert.equal(ignored.status, 3);
    assert.match(ignored.stderr, /has no \/dev\/sda7 to be ignored; it has \/dev\/sda$/m);
    const socket = join(place.directory, 'nbd.sock');
    const { status, stderr } = await place.run([
      ...['serve', './disk.raw', '--run', `'${process.cwd()}/varve' sparsify --in-place '${disk}'; echo status $? >&2`],
    ]);
    assert.equal(status, 0, socket);
    assert.match(stderr, /status 6/);
  });

  test('ends with status 3 where the file cannot have holes', async (t) => {
    const { place, disk } = await makeDisk(t);
    const directory = join(place.directory, 'ramfs');
    fs.mkdirSync(directory);
    using mounted = mountRamfs(t, directory);
    if (mounted === undefined) return;
    const copy = join(directory, 'disk.raw');
    fs.copyFileSync(disk, copy);
    const { status, stderr } = await place.run(['sparsify', '--in-place', copy]);
    assert.equal(status, 3);
    assert.match(stderr, /makes no holes/);
    assert.ok(fs.readFileSync(copy).equals(fs.readFileSync(disk)));
  });

  test('makes a small copy of any format, and leaves the disk as it was', async (t) => {
    const { place, disk } = await makeDisk(t);
    const before = fs.readFileSync(disk);
    await place.varve('sparsify', './disk.raw', 'small.qcow2', '--compress');
    assert.ok(fs.readFileSync(disk).equals(before));
    const small = join(place.directory, 'small.qcow2');
    assert.ok(storedMebibytes(small) < 4.5, `${storedMebibytes(small)} MiB`);
    const out = join(place.directory, 'out.raw');
    execFileSync('qemu-img', ['convert', '-O', 'raw', small, out]);
    execFileSync('e2fsck', ['-fn', out], { stdio: 'pipe' });
  });
});
