import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { qemuImg } from '../interop/qemu-images.ts';
import { startGuest, userNetwork } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';
import { serving } from './serving.ts';

/** What is tried. */
export interface BusyTrial {
  readonly kernel: GuestKernel;
  /** Empty. */
  readonly directory: string;
}

/**
 * Has Linux's own client, over four connections, discard a disk of 8 TiB as a whole, write at its end, and work on a
 * file system from four sides at once, which discards what is deleted as it goes.
 */
export async function tryBusyKernelClient({ directory, kernel }: BusyTrial): Promise<void> {
  const [large, disk] = [join(directory, 'large.qcow2'), join(directory, 'disk.qcow2')];
  await qemuImg('create', '-q', '-f', 'qcow2', large, '8T');
  await qemuImg('create', '-q', '-f', 'qcow2', disk, '1G');
  await using server = await serving([large, disk]);
  const script = `
set -e
nbd-client 10.0.2.2 ${server.port} /dev/nbd0 -N large.qcow2 -C 4 -b 4096
nbd-client 10.0.2.2 ${server.port} /dev/nbd1 -N disk.qcow2 -C 4
blkdiscard /dev/nbd0
dd if=/bin/busybox of=/dev/nbd0 bs=4096 seek=$((8 * 1024 * 1024 * 256 - 16)) count=16 conv=fsync 2> /dev/null
echo 3 > /proc/sys/vm/drop_caches
dd if=/dev/nbd0 bs=4096 skip=$((8 * 1024 * 1024 * 256 - 16)) 2> /dev/null | cmp -n 65536 - /bin/busybox
mkfs.ext4 -q /dev/nbd1
mount -t ext4 -o discard /dev/nbd1 /mnt
work() {
  for turn in 1 2 3 4 5 6; do
    mkdir /mnt/$1
    cp /modules/* /bin/busybox /mnt/$1
    sync
    echo 1 > /proc/sys/vm/drop_caches
    cmp /bin/busybox /mnt/$1/busybox
    rm -r /mnt/$1
  done
  cp -r /modules /mnt/kept$1
}
for side in 1 2 3 4; do (set -e; work $side; echo "side $side is done") & done
wait
for side in 1 2 3 4; do diff -r /modules /mnt/kept$side; done
umount /mnt
e2fsck -fn /dev/nbd1
for device in nbd0 nbd1; do nbd-client -d /dev/$device; done
`;
  const modules = ['virtio_pci', 'virtio_net', 'nbd', 'xfs'];
  const programs = ['nbd-client', 'mkfs.ext4', 'e2fsck'];
  const initramfs = await makeInitramfs({ kernel, modules, programs, task: { script } });
  await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices: userNetwork });
  const printed = await guest.end();
  assert.match(printed, /^guest: ended with 0$/m, printed);
  for (const side of [1, 2, 3, 4]) assert.match(printed, new RegExp(`^side ${side} is done$`, 'm'), printed);
  await server[Symbol.asyncDispose]();
  for (const path of [large, disk]) await qemuImg('check', path);
  await qemuImg('convert', '-O', 'raw', disk, `${disk}.raw`);
  await promisify(execFile)('e2fsck', ['-fn', `${disk}.raw`]);
}
