import assert from 'node:assert/strict';
import fs from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import { whyNoMount } from '../filesystem/mounted-image.ts';
import { run } from '../filesystem/sample-image.ts';
import { greeting, makeGrubDisk, makeSyslinuxDisk, missingKernel, whyNoBootLoaders } from '../guest/bootable-disk.ts';
import { startBios } from '../guest/guest.ts';
import { guestKernel } from '../guest/guest-kernel.ts';
import { runVarve } from '../guest/run-varve.ts';
import { sfdiskTable } from '../partition/sfdisk.ts';
import { skipWithout } from './require-tool.ts';

const programs = [
  'qemu-system-x86_64',
  'busybox',
  'grub-mkimage',
  'syslinux',
  'mcopy',
  'mkfs.fat',
  'sfdisk',
  'qemu-img',
];
const skip = skipWithout(...programs) || whyNoBootLoaders() || whyNoMount('ext4');

async function newDirectory(t: TestContext): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'varve-'));
  t.after(() => rm(directory, { recursive: true }));
  return directory;
}

/** Waits until what boots from a disk has said what it read there. */
async function boot(disk: string, said = greeting): Promise<void> {
  const format = disk.endsWith('.raw') ? 'raw' : 'qcow2';
  await using guest = startBios(['-drive', `file=${disk},format=${format},if=virtio,snapshot=on`]);
  await guest.waitFor(new RegExp(said));
}

/** Writes an aligned copy. @returns its path */
async function fix(directory: string, disk: string, name: string): Promise<string> {
  const target = join(directory, name);
  const result = JSON.parse(await runVarve(join(directory, 'store'), 'align', disk, '--fix', target, '--json'));
  assert.deepEqual(result.problems, []);
  for (const { offset, ok } of result.partitions) assert.deepEqual([offset % 2 ** 20, ok], [0, true]);
  return target;
}

describe('varve align --fix', { skip }, () => {
  test('Linux boots through GRUB from an aligned copy of a disk with a partition at sector 63', async (t) => {
    const kernel = await guestKernel();
    if ('reason' in kernel) return t.skip(kernel.reason);
    const directory = await newDirectory(t);
    const script = 'label: dos\nstart=63, size=65536, type=83, bootable\nstart=65599, type=5\nstart=65662, size=1000\n';
    const disk = await makeGrubDisk({ directory, script, number: 1, firstSector: 63, kernel });
    await boot(await fix(directory, disk, 'aligned.qcow2'));
    const store = join(directory, 'store');
    await runVarve(store, 'import', disk, 'web');
    const again = await fix(directory, 'web', 'aligned.raw');
    await runVarve(store, 'compare', again, join(directory, 'aligned.qcow2'));
  });

  test('GRUB finds its BIOS boot partition where that is then, and ext4 behind it is whole', async (t) => {
    const directory = await newDirectory(t);
    const script = `label: gpt\nfirst-lba: 34
start=34, size=2001, type=21686148-6449-6E6F-744E-656564454649\nstart=2035, size=65536\nstart=67571, size=5000\n`;
    const disk = await makeGrubDisk({ directory, script, number: 2, firstSector: 2035 });
    await boot(disk);
    const fixed = await fix(directory, disk, 'aligned.raw');
    await boot(fixed);
    const [, root] = (await sfdiskTable(fixed)).partitions ?? [];
    const part = join(directory, 'part.raw');
    await run('dd', [
      `if=${fixed}`,
      `of=${part}`,
      'bs=512',
      `skip=${root?.start}`,
      `count=${root?.size}`,
      'status=none',
    ]);
    await run('e2fsck', ['-fn', part]);
  });

  test('GRUB in a partition finds its own file where that is then', async (t) => {
    const directory = await newDirectory(t);
    const script = 'label: dos\nstart=63, size=1000, type=83\nstart=1063, size=65536, type=83, bootable\n';
    const disk = await makeGrubDisk({ directory, script, number: 2, firstSector: 1063, isInPartition: true });
    await boot(disk);
    await boot(await fix(directory, disk, 'aligned.raw'));
  });

  test('SYSLINUX boots from FAT that has moved, and fsck.fat is content with both copies of its first sector', async (t) => {
    const directory = await newDirectory(t);
    const disk = await makeSyslinuxDisk(directory);
    await boot(disk, missingKernel);
    const fixed = await fix(directory, disk, 'aligned.raw');
    await boot(fixed, missingKernel);
    for (const { size, start } of (await sfdiskTable(fixed)).partitions ?? []) {
      const part = join(directory, 'part.raw');
      await run('dd', [`if=${fixed}`, `of=${part}`, 'bs=512', `skip=${start}`, `count=${size}`, 'status=none']);
      assert.equal(fs.readFileSync(part).readUInt32LE(28), start);
      assert.doesNotMatch(await run('fsck.fat', ['-n', part]), /differences|differ/);
    }
  });
});
