import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, open, readFile, truncate, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { findCommand } from '../../scripts/setup/project.mjs';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import type { GuestKernel } from '../guest/guest-kernel.ts';
import { librariesOf } from '../guest/initramfs.ts';
import { debianInitramfs } from './debian-initramfs.ts';

const run = promisify(execFile);

/** What the disk is made with, by the package that has it. */
export const roomDiskFiles: Readonly<Record<string, string>> = {
  '/usr/bin/grub-mkimage': 'grub-common',
  '/usr/sbin/iscsid': 'open-iscsi',
  '/usr/lib/grub/i386-pc/boot.img': 'grub-pc-bin',
};

const mebibyte = 2 ** 20;
const partitionOffset = mebibyte;
const partitionLength = 63 * mebibyte;
const sectorLength = 512;
const tableOffset = 446;

const init = `#!/bin/busybox sh
export PATH=/bin:/sbin
[ -e /proc/mounts ] || mount -t proc proc /proc
[ -e /sys/class ] || mount -t sysfs sysfs /sys
[ -c /dev/ttyS0 ] || mount -t devtmpfs devtmpfs /dev
mount -o remount,rw / 2> /dev/null
# It connects again what the initramfs connected, when the server was away.
[ -e /sys/class/iscsi_session/session1 ] && iscsid -f &
echo
echo "room: $(cat /sys/class/net/eth0/address) runs from $(grep ' / ' /proc/mounts | tail -n 1 | cut -d ' ' -f 1)"
PS1='room# ' sh
sync
umount -a -r 2> /dev/null
poweroff -f
`;

const grubConfiguration = `set root=(hd0,msdos1)
echo 'room: the boot loader of the disk'
linux /boot/vmlinuz root=ROOT console=ttyS0 loglevel=4 no_timer_check panic=-1 net.ifnames=0 ip=dhcp iscsi_auto
initrd /boot/initrd.img
boot
`;

/** Where the root file system is, whatever the disk is called. */
const roomRoot = 'UUID=0a0b0c0d-1111-2222-3333-444455556666';

/**
 * Makes a disk of 64 MiB with a boot loader for BIOS and one partition: a system of busybox, Debian's kernel and initramfs.
 * On its console it says which machine it is and what it runs from, and gives a shell; when that ends it powers off.
 */
export async function makeRoomDisk(directory: string, kernel: GuestKernel): Promise<string> {
  const [root, partition, disk] = ['root', 'partition.raw', 'room.raw'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  for (const name of [
    'bin',
    'sbin',
    'dev',
    'proc',
    'sys',
    'run',
    'etc/iscsi',
    'run/lock/iscsi',
    'var/lib/iscsi',
    'boot',
    'mnt',
    'root',
    'tmp',
    'var/log',
  ]) {
    await mkdir(join(root, name), { recursive: true });
  }
  const busybox = findCommand('busybox') ?? '';
  await copyFile(busybox, join(root, 'bin/busybox'));
  await run(join(root, 'bin/busybox'), ['--install', '-s', join(root, 'bin')]);
  await run('sh', ['-c', `cd ${root}/bin && for name in *; do [ -L $name ] && ln -sf busybox $name; done; true`]);
  await writeFile(join(root, 'sbin/init'), init);
  await chmod(join(root, 'sbin/init'), 0o755);
  await copyFile(kernel.path, join(root, 'boot/vmlinuz'));
  await copyFile(await debianInitramfs(kernel), join(root, 'boot/initrd.img'));
  await writeFile(join(root, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/sh\n');
  await addProgram(root, '/usr/sbin/iscsid');
  await copyFile('/etc/iscsi/iscsid.conf', join(root, 'etc/iscsi/iscsid.conf'));
  await writeFile(join(root, 'etc/iscsi/initiatorname.iscsi'), 'InitiatorName=iqn.1993-08.org.debian:01:room\n');
  await writeFile(partition, '');
  await truncate(partition, partitionLength);
  const identity = roomRoot.replace('UUID=', '');
  const options = ['-q', '-F', '-t', 'ext4', '-U', identity, '-m', '0', '-d', root, partition];
  await run('mke2fs', options, { env: { ...process.env, MKE2FS_CONFIG: '/dev/null' } });
  await assemble(disk, partition, directory);
  return disk;
}

async function addProgram(root: string, path: string): Promise<void> {
  await copyFile(path, join(root, 'sbin', basename(path)));
  for (const library of await librariesOf(path)) {
    await mkdir(join(root, dirname(library)), { recursive: true });
    await copyFile(library, join(root, library));
  }
}

/** GRUB's first sector loads what lies behind it, and that the rest; both lie before the partition. */
async function assemble(disk: string, partition: string, directory: string): Promise<void> {
  const [configuration, core] = [join(directory, 'grub.cfg'), join(directory, 'core.img')];
  await writeFile(configuration, grubConfiguration.replace('ROOT', roomRoot));
  const grubModules = ['biosdisk', 'part_msdos', 'ext2', 'linux', 'echo', 'boot'];
  const image = ['-O', 'i386-pc', '-p', '(hd0,msdos1)/boot/grub', '-c', configuration, '-o', core];
  await run('grub-mkimage', [...image, ...grubModules]);
  const first = Buffer.from(await readFile('/usr/lib/grub/i386-pc/boot.img'));
  // One partition, of Linux, and the mark at the end, where GRUB has code for floppy disks. Source: the table of partitions
  // in a master boot record.
  const writer = new ByteWriter(first.fill(0, tableOffset));
  writer.seek(tableOffset);
  writer.u8(0x80);
  writer.put(Uint8Array.of(0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff));
  writer.u32le(partitionOffset / sectorLength);
  writer.u32le(partitionLength / sectorLength);
  writer.seek(510);
  writer.u16be(0x55aa);
  await using file = await open(disk, 'w');
  await file.write(first, 0, sectorLength, 0);
  await file.write(await readFile(core), 0, undefined, sectorLength);
  await file.write(await readFile(partition), 0, undefined, partitionOffset);
}
