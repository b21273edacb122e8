import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { startGuest, userNetwork } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';
import type { Guest } from './running-guest.ts';
import type { ServedDisk } from './served-disk.ts';
import { type Serving, serving } from './serving.ts';

/** What is tried. */
export interface KilledServerTrial {
  readonly kernel: GuestKernel;
  /** Empty, of at least 64 MiB. */
  readonly disk: ServedDisk;
}

/** A server is away for so long. */
const pauseMs = 2000;

/** Writes files until one cannot be written, and says of each when it was reported to be on the disk. */
const writeFiles = `
write_files() {
  for i in $(seq 60); do
    dd if=/bin/busybox of=/mnt/file$i bs=64k count=8 conv=fsync 2> /dev/null || return 0
    echo "file $i is there"
    synced=$i
  done
}
check_files() {
  head -c 524288 /bin/busybox > /tmp/expected
  for i in $(seq $synced); do cmp /tmp/expected /mnt/file$i; done
  echo "all of $synced files are whole"
}
`;

/**
 * Kills the server while Linux's own client writes, with `-persist`. That client goes on with nothing: all that it has
 * in hand fails at once, and so does the file system. After connecting anew, all that was reported to be on the disk is.
 */
export async function tryKernelClientAfterKill({ disk, kernel }: KilledServerTrial): Promise<void> {
  const server = await serving([disk.argument], disk);
  const script = `
${writeFiles}
set -e
connect() { nbd-client 10.0.2.2 ${server.port} /dev/nbd0 -N ${disk.name} -persist -timeout 5; }
connect
mkfs.ext4 -q /dev/nbd0
mount /dev/nbd0 /mnt
write_files
umount /mnt
nbd-client -d /dev/nbd0
read line
connect
mount /dev/nbd0 /mnt
check_files
umount /mnt
e2fsck -fn /dev/nbd0
nbd-client -d /dev/nbd0
`;
  const modules = ['virtio_pci', 'virtio_net', 'nbd'];
  const programs = ['nbd-client', 'mkfs.ext4', 'e2fsck'];
  const initramfs = await makeInitramfs({ kernel, modules, programs, task: { script } });
  await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices: userNetwork });
  await using again = await killAndServeAgain(guest, server, disk);
  guest.type('the server is there again');
  await assertWhole(guest, again, disk);
  assert.match(guest.printed, /^all of [1-5]?\d files are whole$/m, guest.printed);
}

/**
 * Kills the server while a guest writes to a disk that QEMU's own client gives it: with `reconnect-delay` the guest
 * notices nothing but a pause.
 */
export async function tryQemuClientAfterKill({ disk, kernel }: KilledServerTrial): Promise<void> {
  const server = await serving([disk.argument], disk);
  const script = `
${writeFiles}
set -e
mkfs.ext4 -q /dev/vda
mount /dev/vda /mnt
write_files
check_files
umount /mnt
e2fsck -fn /dev/vda
`;
  const modules = ['virtio_pci', 'virtio_blk'];
  const initramfs = await makeInitramfs({ kernel, modules, programs: ['mkfs.ext4', 'e2fsck'], task: { script } });
  const address = `server.type=inet,server.host=127.0.0.1,server.port=${server.port},export=${disk.name}`;
  const devices = ['-drive', `driver=nbd,${address},reconnect-delay=60,if=virtio`];
  await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices });
  await using again = await killAndServeAgain(guest, server, disk);
  await assertWhole(guest, again, disk);
  assert.match(guest.printed, /^all of 60 files are whole$/m, guest.printed);
}

/** While the guest is at its files. */
async function killAndServeAgain(guest: Guest, server: Serving, disk: ServedDisk): Promise<Serving> {
  await guest.waitFor(/file 12 is there/);
  await server.kill();
  await sleep(pauseMs);
  return serving([disk.argument], { ...disk, port: server.port });
}

async function assertWhole(guest: Guest, server: Serving, disk: ServedDisk): Promise<void> {
  const printed = await guest.end();
  assert.match(printed, /^guest: ended with 0$/m, printed);
  await server[Symbol.asyncDispose]();
  await disk.check();
}
