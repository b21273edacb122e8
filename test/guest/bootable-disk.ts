import fs from 'node:fs';
import { copyFile, mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../filesystem/sample-image.ts';
import { makePartitionedDisk } from '../partition/sfdisk.ts';
import { kernelParameters } from './guest.ts';
import type { GuestKernel } from './guest-kernel.ts';
import { makeInitramfs } from './initramfs.ts';

/** The Debian packages' own places for what is put onto disks. */
const grubDirectory = '/usr/lib/grub/i386-pc';
const syslinuxRecord = '/usr/lib/syslinux/mbr/mbr.bin';

/** The programs that are needed, and files that come with packages: what is missing, or false. */
export function whyNoBootLoaders(): string | false {
  const missing = [`${grubDirectory}/grub-bios-setup`, syslinuxRecord].find((path) => !fs.existsSync(path));
  return missing === undefined ? false : `there is no ${missing}`;
}

/** How a disk is made that GRUB boots from. */
export interface GrubDisk {
  /** Empty. */
  readonly directory: string;
  /** sfdisk's, and where in it the partition with ext4 is. */
  readonly script: string;
  readonly number: number;
  readonly firstSector: number;
  /** GRUB is in the partition's own first sector, and the rest of it in a file there. */
  readonly isInPartition?: boolean;
  /** Boots Linux, which prints the file; GRUB prints it where it is left out. */
  readonly kernel?: GuestKernel;
}

const diskLength = 80 * 2 ** 20;
const partitionSectors = 65536;

/** A raw disk of which GRUB, put there by its own program, boots. What boots prints `greeting`. Needs root. */
export async function makeGrubDisk(wanted: GrubDisk): Promise<string> {
  const { directory, firstSector, isInPartition = false, kernel, number, script } = wanted;
  const [disk, root, image] = ['disk.raw', 'root', 'root.raw'].map((name) => join(directory, name)) as [
    string,
    string,
    string,
  ];
  await mkdir(join(root, 'boot/grub/i386-pc'), { recursive: true });
  await fs.promises.cp(grubDirectory, join(root, 'boot/grub/i386-pc'), { recursive: true });
  await writeFile(join(root, 'boot/greeting'), `${greeting}\n`);
  await writeFile(join(root, 'boot/grub/grub.cfg'), grubConfiguration(kernel !== undefined));
  if (kernel !== undefined) await addLinux(join(root, 'boot'), kernel, number);
  await writeFile(image, '');
  fs.truncateSync(image, partitionSectors * 512);
  await run('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', root, image], { MKE2FS_CONFIG: '/dev/null' });
  await makePartitionedDisk(disk, diskLength, script);
  await run('dd', [`if=${image}`, `of=${disk}`, 'bs=512', `seek=${firstSector}`, 'conv=notrunc', 'status=none']);
  await installGrub(disk, directory, { firstSector, isInPartition, number, isGpt: script.includes('label: gpt') });
  if (isInPartition) await countFromDisk(disk, firstSector);
  return disk;
}

/** What is printed by what has booted. */
export const greeting = 'it has booted from its own disk';

function grubConfiguration(isLinux: boolean): string {
  const rest = isLinux
    ? `linux /boot/vmlinuz ${kernelParameters}\ninitrd /boot/initrd\nboot\n`
    : 'cat /boot/greeting\nhalt\n';
  return `serial --unit=0\nterminal_output serial\nterminal_input serial\n${rest}`;
}

async function addLinux(boot: string, kernel: GuestKernel, number: number): Promise<void> {
  await copyFile(kernel.path, join(boot, 'vmlinuz'));
  const script = `mount -t ext4 -o ro /dev/vda${number} /mnt && cat /mnt/boot/greeting\n`;
  const modules = ['virtio_pci', 'virtio_blk'];
  await writeFile(join(boot, 'initrd'), await makeInitramfs({ kernel, modules, task: { script } }));
}

interface InstallOptions extends Pick<GrubDisk, 'firstSector' | 'number'> {
  readonly isGpt: boolean;
  readonly isInPartition: boolean;
}

/** As grub-install does it, which wants to see device nodes of partitions, that loop devices here do not have. */
async function installGrub(
  disk: string,
  directory: string,
  { firstSector, isGpt, isInPartition, number }: InstallOptions,
): Promise<void> {
  const mount = join(directory, 'mount');
  await mkdir(mount);
  await using stack = new AsyncDisposableStack();
  const attach = async (...options: string[]) => {
    const loop = (await run('losetup', ['--find', '--show', ...options, disk])).trim();
    stack.defer(async () => void (await run('losetup', ['--detach', loop])));
    return loop;
  };
  const whole = await attach();
  const part = await attach('--offset', String(firstSector * 512), '--sizelimit', String(partitionSectors * 512));
  await run('mount', [part, mount]);
  stack.defer(async () => void (await run('umount', [mount])));
  const [map, files] = [join(directory, 'device.map'), join(mount, 'boot/grub/i386-pc')];
  await writeFile(map, isInPartition ? `(hd0) ${part}\n` : `(hd0) ${whole}\n(hd1) ${part}\n`);
  const prefix = `(,${isGpt ? 'gpt' : 'msdos'}${number})/boot/grub`;
  const modules = ['biosdisk', isGpt ? 'part_gpt' : 'part_msdos', 'ext2'];
  await run('grub-mkimage', ['-O', 'i386-pc', '-o', join(files, 'core.img'), '-p', prefix, ...modules]);
  await run(join(grubDirectory, 'grub-bios-setup'), ['--force', '--skip-fs-probe', '-m', map, '-d', files, '(hd0)']);
}

/** What GRUB's program took for a disk is a partition: the numbers of sectors that it wrote count from its start. */
async function countFromDisk(disk: string, firstSector: number): Promise<void> {
  const file = await fs.promises.open(disk, 'r+');
  const add = async (place: number) => {
    const { buffer } = await file.read(Buffer.alloc(8), 0, 8, place);
    buffer.writeBigUInt64LE(buffer.readBigUInt64LE() + BigInt(firstSector));
    await file.write(buffer, 0, 8, place);
    return Number(buffer.readBigUInt64LE());
  };
  const rest = await add(firstSector * 512 + 92);
  // Its file is in one piece: the list has one entry.
  await add(rest * 512 + 500);
  await file.close();
  await run('dd', [`if=${syslinuxRecord}`, `of=${disk}`, 'bs=440', 'count=1', 'conv=notrunc', 'status=none']);
}

/** What SYSLINUX looks for, and complains of once it has read its configuration. */
export const missingKernel = 'its-own-kernel';

/** A raw disk with FAT at sector 63, from which SYSLINUX boots, and names `missingKernel`. */
export async function makeSyslinuxDisk(directory: string): Promise<string> {
  const [disk, configuration] = [join(directory, 'disk.raw'), join(directory, 'syslinux.cfg')];
  await makePartitionedDisk(
    disk,
    diskLength,
    'label: dos\nstart=63, size=32768, type=6, bootable\nstart=32831, type=c',
  );
  for (const [width, first, kibibytes] of [
    ['16', 63, 16384],
    ['32', 32831, 40000],
  ] as const) {
    const place = ['--offset', String(first), '-h', String(first)];
    await run('mkfs.fat', ['-F', width, ...place, disk, String(kibibytes)]);
  }
  await writeFile(configuration, `SERIAL 0\nDEFAULT first\nPROMPT 0\nLABEL first\nLINUX ${missingKernel}\n`);
  await run('mcopy', ['-i', `${disk}@@${63 * 512}`, configuration, '::']);
  await run('syslinux', ['--install', '--offset', String(63 * 512), disk]);
  await run('dd', [`if=${syslinuxRecord}`, `of=${disk}`, 'bs=440', 'count=1', 'conv=notrunc', 'status=none']);
  return disk;
}
