import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { pattern } from '../../src/conformance/device-content.ts';
import { run } from '../filesystem/sample-image.ts';
import { skipWithout } from '../interop/require-tool.ts';
import { Workplace } from './varve.ts';

const mebibyte = 2 ** 20;
const skip = skipWithout('mke2fs', 'e2fsck', 'debugfs', 'sfdisk', 'sgdisk', 'qemu-img', 'qemu-io');

/** A disk divided by sfdisk as `script` says, and full of noise outside of its tables. */
function makeDisk(place: Workplace, sizeMebibytes: number, script: string): Disk {
  const path = join(place.directory, 'disk.raw');
  fs.writeFileSync(path, randomBytes(sizeMebibytes * mebibyte));
  execFileSync('sfdisk', ['-q', '--wipe', 'always', path], { input: script, stdio: 'pipe' });
  const { partitiontable } = JSON.parse(execFileSync('sfdisk', ['--json', path], { encoding: 'utf8' }));
  const starts = new Map<number, number>();
  for (const { node, start } of partitiontable.partitions) starts.set(Number(node.at(-1)), start * 512);
  return { path, starts };
}

interface Disk {
  readonly path: string;
  /** Where partitions begin, in bytes. */
  readonly starts: ReadonlyMap<number, number>;
}

function put({ path, starts }: Disk, number: number, bytes: Uint8Array, offset = 0): void {
  const file = fs.openSync(path, 'r+');
  fs.writeSync(file, bytes, 0, bytes.length, starts.get(number)! + offset);
  fs.closeSync(file);
}

async function ext4(place: Workplace, mebibytes: number): Promise<Buffer> {
  const path = join(place.directory, 'part');
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', path, `${mebibytes}M`]);
  const bytes = fs.readFileSync(path);
  fs.rmSync(path);
  return bytes;
}

const areSame = (a: Buffer, b: Buffer, start: number, end: number) =>
  a.subarray(start, end).equals(b.subarray(start, end));

describe('varve sparsify --in-place, disks with partitions', { skip }, () => {
  test('leaves what holds other volumes alone, though a file system seems to be in it', async (t) => {
    const place = new Workplace(t);
    const disk = makeDisk(place, 100, 'label: dos\nsize=16MiB\nsize=16MiB\ntype=5\nsize=16MiB\nsize=16MiB\n');
    const fileSystem = await ext4(place, 16);
    for (const number of [1, 2, 5, 6]) put(disk, number, fileSystem);
    put(disk, 2, Buffer.from(`LABELONE${'\0'.repeat(16)}LVM2 001`, 'latin1'), 512);
    put(disk, 5, Buffer.from('LUKS\xba\xbe\x00\x01', 'latin1'));
    put(disk, 6, Buffer.from('fc4e2ba9', 'hex'), 16 * mebibyte - 8192);
    const before = fs.readFileSync(disk.path);
    const printed = await place.varve('sparsify', '--in-place', './disk.raw');
    assert.deepEqual(printed.split('\n').slice(0, 4), [
      'Trimming /dev/sda1 …',
      'Leaving /dev/sda2 alone: it is a physical volume of LVM.',
      'Leaving /dev/sda5 alone: it is encrypted with LUKS.',
      'Leaving /dev/sda6 alone: it is a member of a Linux RAID.',
    ]);
    assert.ok(areSame(fs.readFileSync(disk.path), before, disk.starts.get(2)!, before.length));
  });

  test('touches no table with --gaps, and nothing before the first partition', async (t) => {
    const place = new Workplace(t);
    for (const label of ['gpt', 'dos']) {
      const disk = makeDisk(place, 100, `label: ${label}\nstart=4096,size=16MiB\nstart=81920,size=16MiB\n`);
      const before = fs.readFileSync(disk.path);
      const printed = await place.varve('sparsify', '--in-place', '--gaps', './disk.raw');
      assert.match(printed, /\nTrimming what lies between partitions …\n/);
      const after = fs.readFileSync(disk.path);
      assert.ok(areSame(after, before, 0, 18 * mebibyte), 'up to the end of the first partition');
      assert.ok(
        after.subarray(18 * mebibyte, 40 * mebibyte).every((byte) => byte === 0),
        'between them',
      );
      assert.ok(areSame(after, before, 40 * mebibyte, 56 * mebibyte), 'the second one');
      assert.ok(
        after.subarray(56 * mebibyte, 99 * mebibyte).every((byte) => byte === 0),
        'behind them',
      );
      assert.ok(areSame(after, before, 99 * mebibyte, 100 * mebibyte), 'the end of the disk');
      execFileSync('sfdisk', ['--verify', disk.path], { stdio: 'pipe' });
      if (label === 'gpt') assert.match(execFileSync('sgdisk', ['-v', disk.path], { encoding: 'utf8' }), /No problems/);
    }
  });

  test('keeps the copy of the GPT of a disk that grew, which is not at its end', async (t) => {
    const place = new Workplace(t);
    const disk = makeDisk(place, 60, 'label: gpt\nstart=4096,size=16MiB\n');
    fs.truncateSync(disk.path, 100 * mebibyte);
    const before = fs.readFileSync(disk.path);
    await place.varve('sparsify', '--in-place', '--gaps', './disk.raw');
    assert.ok(fs.readFileSync(disk.path).equals(before));
  });

  test('believes no partition that shares space with another one, or reaches past the disk', async (t) => {
    const place = new Workplace(t);
    const disk = makeDisk(place, 60, 'label: dos\nstart=4096,size=16MiB\nstart=65536,size=16MiB\n');
    for (const number of [1, 2]) put(disk, number, await ext4(place, 16));
    const sound = fs.readFileSync(disk.path);
    const lie = async (sectorCount: number) => {
      const bytes = Buffer.from(sound);
      bytes.writeUInt32LE(sectorCount, 446 + 12);
      fs.writeFileSync(disk.path, bytes);
      const printed = await place.varve('sparsify', '--in-place', '--gaps', './disk.raw');
      return printed.split('\n').filter((line) => !/^(Sparsify|It took|Trimming what)/.test(line));
    };
    assert.deepEqual(await lie(70_000), [
      'Leaving /dev/sda1 alone: it shares space with /dev/sda2.',
      'Leaving /dev/sda2 alone: it shares space with /dev/sda1.',
    ]);
    assert.deepEqual(await lie(2 ** 30), [
      'Leaving /dev/sda2 alone: it shares space with /dev/sda1.',
      'Leaving /dev/sda1 alone: it reaches past the end of the disk.',
    ]);
  });

  test('keeps the snapshots of a qcow2 file, and is refused while QEMU has it open', async (t) => {
    const place = new Workplace(t);
    const disk = join(place.directory, 'disk.raw');
    await run('mke2fs', ['-q', '-F', '-t', 'ext4', disk, '32M']);
    const kept = join(place.directory, 'kept');
    fs.writeFileSync(kept, pattern(8 * mebibyte, 4));
    await run('debugfs', ['-w', '-R', `write ${kept} deleted`, disk]);
    const execute = (command: string, ...args: string[]) => {
      execFileSync(command, args, { cwd: place.directory, stdio: 'pipe' });
    };
    execute('qemu-img', 'convert', '-O', 'qcow2', 'disk.raw', 'disk.qcow2');
    execute('qemu-img', 'snapshot', '-c', 'before', 'disk.qcow2');
    fs.copyFileSync(disk, join(place.directory, 'old.raw'));
    await run('debugfs', ['-w', '-R', 'rm deleted', disk]);
    execute('qemu-img', 'convert', '-n', '-O', 'qcow2', 'disk.raw', 'disk.qcow2');
    await place.varve('sparsify', '--in-place', './disk.qcow2');
    execute('qemu-img', 'check', '-q', 'disk.qcow2');
    execute('qemu-img', 'convert', '-O', 'raw', '-l', 'snapshot.name=before', 'disk.qcow2', 'before.raw');
    execute('qemu-img', 'compare', '-f', 'raw', '-F', 'raw', 'before.raw', 'old.raw');
    execute('qemu-img', 'convert', '-O', 'raw', 'disk.qcow2', 'now.raw');
    execute('e2fsck', '-fn', 'now.raw');
    const command = `! '${process.cwd()}/varve' sparsify --in-place disk.qcow2 2>message`;
    execute(
      'sh',
      '-c',
      `(sleep 30 & echo $! >pid; wait) | qemu-io -f qcow2 disk.qcow2 >qemu.log & sleep 1; ${command}; status=$?; kill $(cat pid); wait; exit $status`,
    );
    assert.match(
      fs.readFileSync(join(place.directory, 'message'), 'utf8'),
      /qemu-io \(process \d+\) has it open for writing/,
    );
  });
});
