import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { projectDirectory } from '../../scripts/project.ts';
import type { GuestKernel } from '../guest/guest-kernel.ts';

const run = promisify(execFile);
/** Git ignores it, and it can be deleted at any time. */
const cacheDirectory = join(projectDirectory, '.cache/netboot');
const hooksDirectory = '/usr/share/initramfs-tools/hooks';

/** What Debian's initramfs is made of, by the package that has it. */
export const initramfsFiles: Readonly<Record<string, string>> = {
  '/usr/sbin/mkinitramfs': 'initramfs-tools-core',
  [`${hooksDirectory}/klibc-utils`]: 'klibc-utils',
  [`${hooksDirectory}/udev`]: 'udev',
  [`${hooksDirectory}/nbd-client`]: 'nbd-client',
  [`${hooksDirectory}/iscsi`]: 'open-iscsi',
  [`${hooksDirectory}/live`]: 'live-boot-initramfs-tools',
};

const hooks = ['klibc-utils', 'kmod', 'udev', 'zz-busybox', 'nbd-client', 'iscsi', 'live'];
const modules = [
  ...['virtio_pci', 'virtio_net', 'nbd', 'iscsi_tcp', 'iscsi_ibft', 'sd_mod', 'nfsv3', 'nfs'],
  ...['loop', 'squashfs', 'overlay'],
];
const configuration = `MODULES=list
BUSYBOX=y
KEYMAP=n
COMPRESS=gzip
COMPRESSLEVEL=6
DEVICE=
NFSROOT=auto
RUNSIZE=10%
FSTYPE=ext4
RESUME=none
`;

/**
 * The path of an initramfs as Debian makes it for a kernel, with its own scripts for NBD, iSCSI, NFS and systems in memory,
 * and the modules of the kernel that a machine of the lab takes. It is made when it is first wanted, which takes root.
 */
export async function debianInitramfs(kernel: GuestKernel): Promise<string> {
  const version = basename(kernel.path).replace('vmlinuz-', '');
  const key = createHash('sha256')
    .update(JSON.stringify([version, hooks, modules, configuration]))
    .digest('hex');
  const path = join(cacheDirectory, `initrd-${key.slice(0, 16)}.img`);
  if (existsSync(path)) return path;
  await mkdir(cacheDirectory, { recursive: true });
  const working = await mkdtemp(`${path}.`);
  try {
    await make(kernel, version, working);
    await rename(join(working, 'initrd.img'), path);
    return path;
  } finally {
    await rm(working, { recursive: true, force: true });
  }
}

/** The hooks and the modules that are wanted are laid over this machine's own, for this one program to see. */
async function make(kernel: GuestKernel, version: string, working: string): Promise<void> {
  const moduleDirectory = join(working, 'root/lib/modules', version, 'kernel');
  for (const name of ['conf/scripts', 'conf/hooks', 'conf/conf.d', 'hooks']) {
    await mkdir(join(working, name), { recursive: true });
  }
  await mkdir(moduleDirectory, { recursive: true });
  await mkdir('/lib/modules', { recursive: true });
  for (const path of await kernel.modules(...modules)) await copyFile(path, join(moduleDirectory, basename(path)));
  for (const name of hooks) await copyFile(join(hooksDirectory, name), join(working, 'hooks', name));
  await writeFile(join(working, 'conf/initramfs.conf'), configuration);
  await writeFile(join(working, 'conf/modules'), `${modules.join('\n')}\n`);
  const script = `set -e
mount --bind ${working}/root/lib/modules /lib/modules
mount --bind ${working}/hooks ${hooksDirectory}
depmod ${version}
mkinitramfs -d ${working}/conf -o ${working}/initrd.img ${version}
`;
  await run('unshare', ['-m', 'sh', '-c', script], { timeout: 120_000 });
}
