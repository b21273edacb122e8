import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCommand } from '../../scripts/setup/project.mjs';
import { startGuest, userNetwork } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';
import { runVarve } from './run-varve.ts';
import { emptyImage } from './served-disk.ts';
import { serving } from './serving.ts';

const run = promisify(execFile);

/** What is tried. */
export interface LiveSnapshotsTrial {
  readonly kernel: GuestKernel;
  /** Empty. */
  readonly directory: string;
}

const fileCount = 40;
const fileLength = 2 ** 19;

/**
 * Takes snapshots of an image while Linux writes to it. Each has all that was reported to be on the disk when it was
 * asked for, in a file system that is whole once its journal is replayed.
 */
export async function tryLiveSnapshots({ directory, kernel }: LiveSnapshotsTrial): Promise<void> {
  const disk = await emptyImage(directory);
  await using server = await serving([disk.argument], disk);
  const script = `
set -e
nbd-client 10.0.2.2 ${server.port} /dev/nbd0 -N ${disk.name}
mkfs.ext4 -q /dev/nbd0
mount /dev/nbd0 /mnt
for i in $(seq ${fileCount}); do
  dd if=/bin/busybox of=/mnt/file$i bs=64k count=8 conv=fsync 2> /dev/null
  echo "file $i is there"
done
umount /mnt
e2fsck -fn /dev/nbd0
nbd-client -d /dev/nbd0
`;
  const modules = ['virtio_pci', 'virtio_net', 'nbd'];
  const programs = ['nbd-client', 'mkfs.ext4', 'e2fsck'];
  const initramfs = await makeInitramfs({ kernel, modules, programs, task: { script } });
  await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices: userNetwork });
  const synced: number[] = [];
  for (const count of [5, 15, 25]) {
    await guest.waitFor(new RegExp(`file ${count} is there`));
    synced.push([...guest.printed.matchAll(/file \d+ is there\n/g)].length);
    await runVarve(disk.store, 'snapshot', disk.argument, '--message', `After file ${count}`);
  }
  const printed = await guest.end();
  assert.match(printed, /^guest: ended with 0$/m, printed);
  await server[Symbol.asyncDispose]();
  await disk.check();
  const busybox = (await readFile(findCommand('busybox') ?? '')).subarray(0, fileLength);
  for (const [index, count] of synced.entries()) {
    const snapshot = join(directory, `snapshot-${index}`);
    await mkdir(snapshot);
    await runVarve(disk.store, 'export', `${disk.argument}@${index + 2}`, join(snapshot, 'disk.raw'));
    await assertHolds(snapshot, count, busybox);
  }
}

async function assertHolds(directory: string, countThere: number, content: Uint8Array): Promise<void> {
  const disk = join(directory, 'disk.raw');
  // It replays the journal, as mounting would, and ends with 1 where it did.
  await run('e2fsck', ['-p', disk]).catch(({ code }) => assert.equal(code, 1));
  await run('e2fsck', ['-fn', disk]);
  await run('debugfs', ['-R', `rdump / ${directory}`, disk]);
  for (let file = 1; file <= countThere; file += 1) {
    assert.deepEqual(await readFile(join(directory, `file${file}`)), content, `file ${file} of ${directory}`);
  }
}
