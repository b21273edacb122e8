import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, open, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { startGuest, userNetwork } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';
import { serving } from './serving.ts';

const run = promisify(execFile);

/** The programs of this machine that it takes, besides QEMU and busybox. */
export const kernelClientTools = ['nbd-client', 'mkfs.ext4', 'e2fsck', 'debugfs', 'mkfs.xfs', 'xfs_repair', 'qemu-img'];

/** What is tried. */
export interface KernelClientTrial {
  readonly kernel: GuestKernel;
  /** Empty. */
  readonly directory: string;
  /** Of the disk that ext4 is put on; the other one, with XFS, is of the other format. */
  readonly ext4Format: 'raw' | 'qcow2';
  /** Whether the guest reads both disks whole at the end, to compare each byte: half a minute. */
  readonly readsAll: boolean;
  /** More arguments for `varve serve`. */
  readonly serveOptions?: readonly string[];
}

/** XFS wants no less than this. */
const xfsLength = 300 * 2 ** 20;
const ext4Length = 96 * 2 ** 20;

/**
 * Has Linux's own client of NBD put file systems on disks that `varve serve` serves, fill them, empty them in part,
 * trim and check them, and then looks at the disks from outside.
 */
export async function tryKernelClient(trial: KernelClientTrial): Promise<void> {
  const { directory, ext4Format, kernel, readsAll, serveOptions = [] } = trial;
  const ext4Path = await makeDisk(join(directory, 'ext4'), ext4Format, ext4Length);
  const xfsPath = await makeDisk(join(directory, 'xfs'), ext4Format === 'raw' ? 'qcow2' : 'raw', xfsLength);
  await using server = await serving([ext4Path, xfsPath, ...serveOptions]);
  const initramfs = await makeInitramfs({
    kernel,
    modules: ['virtio_pci', 'virtio_net', 'nbd', 'xfs'],
    programs: kernelClientTools.filter((name) => !['debugfs', 'qemu-img'].includes(name)),
    task: { script: guestScript(server.port, ext4Path, xfsPath, readsAll) },
  });
  await using guest = await startGuest({ kernelPath: kernel.path, initramfs, devices: userNetwork });
  const printed = await guest.end();
  assert.match(printed, /^guest: ended with 0$/m, printed);
  await server[Symbol.asyncDispose]();
  const [ext4, xfs] = [await rawContent(ext4Path), await rawContent(xfsPath)];
  await run('e2fsck', ['-fn', ext4]);
  await run('xfs_repair', ['-n', xfs]);
  await compareTree(ext4, printed, join(directory, 'tree'));
  if (readsAll) for (const path of [ext4, xfs]) assert.match(printed, new RegExp(`^${await md5(path)}  /dev/nbd`, 'm'));
  // What was trimmed takes no space: busybox and the modules stay, and XFS's log, which is zeroed by writing.
  for (const path of [ext4, xfs]) assert.ok((await stat(path)).blocks * 512 < 112 * 2 ** 20, path);
}

async function makeDisk(path: string, format: 'raw' | 'qcow2', length: number): Promise<string> {
  await run('qemu-img', ['create', '-q', '-f', format, `${path}.${format}`, String(length)]);
  return `${path}.${format}`;
}

function guestScript(port: number, ext4Path: string, xfsPath: string, readsAll: boolean): string {
  const name = (path: string): string => path.replace(/.*\//, '');
  return `
set -e
connect() {
  nbd-client 10.0.2.2 ${port} /dev/nbd0 -N ${name(ext4Path)} -C 2
  nbd-client 10.0.2.2 ${port} /dev/nbd1 -N ${name(xfsPath)}
}
echo "== what is discarded reads as zeros"
connect
dd if=/dev/urandom of=/dev/nbd0 bs=1M seek=20 count=4 conv=fsync 2> /dev/null
blkdiscard -o $((21 * 1048576)) -l 2097152 /dev/nbd0
echo 3 > /proc/sys/vm/drop_caches
dd if=/dev/nbd0 bs=1M skip=21 count=2 2> /dev/null | cmp -n 2097152 - /dev/zero
! dd if=/dev/nbd0 bs=1M skip=20 count=1 2> /dev/null | cmp -s -n 1048576 - /dev/zero

echo "== file systems are made, filled, and emptied in part"
mkfs.ext4 -q /dev/nbd0
mkfs.xfs -q -f /dev/nbd1
mkdir /mnt/nbd0 /mnt/nbd1 /tmp/tree
cp -r /modules /tmp/tree/modules
cp /bin/busybox /tmp/tree
for i in $(seq 200); do seq $i $((i * 9)) > /tmp/tree/small$i; done
ln -s small1 /tmp/tree/link
for disk in nbd0 nbd1; do
  mount /dev/$disk /mnt/$disk
  dd if=/dev/urandom of=/mnt/$disk/gone bs=1M count=24 2> /dev/null
  tar -c -C /tmp tree | tar -x -C /mnt/$disk
  sync
  rm /mnt/$disk/gone
  fstrim -v /mnt/$disk
  umount /mnt/$disk
  nbd-client -d /dev/$disk
done

echo "== they are whole when they are connected again"
connect
e2fsck -fn /dev/nbd0
xfs_repair -n /dev/nbd1 2> /dev/null
for disk in nbd0 nbd1; do
  mount -o ro /dev/$disk /mnt/$disk
  diff -r /tmp/tree /mnt/$disk/tree
  umount /mnt/$disk
done
cd /tmp/tree
find . -type f -exec md5sum {} +
${readsAll ? 'md5sum /dev/nbd0 /dev/nbd1' : ''}
for disk in nbd0 nbd1; do nbd-client -d /dev/$disk; done
`;
}

/** The disk's bytes as a raw file. */
async function rawContent(path: string): Promise<string> {
  if (path.endsWith('.raw')) return path;
  await run('qemu-img', ['check', path]);
  await run('qemu-img', ['convert', '-O', 'raw', path, `${path}.raw`]);
  return `${path}.raw`;
}

/** The files of the guest's list, `HASH  ./PATH`, as they are in the disk, too. */
async function compareTree(disk: string, printed: string, directory: string): Promise<void> {
  await mkdir(directory);
  await run('debugfs', ['-R', `rdump /tree ${directory}`, disk]);
  const lines = [...printed.matchAll(/^([0-9a-f]{32}) {2}\.\/(.+)$/gm)];
  const entries = await readdir(join(directory, 'tree'), { recursive: true, withFileTypes: true });
  assert.equal(lines.length, entries.filter((entry) => entry.isFile()).length);
  assert.ok(lines.length > 200);
  for (const [, hash, path = ''] of lines) assert.equal(await md5(join(directory, 'tree', path)), hash, path);
}

async function md5(path: string): Promise<string> {
  const hash = createHash('md5');
  await using file = await open(path);
  for await (const chunk of file.createReadStream({ highWaterMark: 2 ** 20 })) hash.update(chunk);
  return hash.digest('hex');
}
