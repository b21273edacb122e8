import { execFile } from 'node:child_process';
import { chmod, copyFile, mkdir, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { findCommand } from '../../scripts/setup/project.mjs';

/** What its shell says when it waits for a command. */
export const shellPrompt = /^small-system# /m;

/**
 * Makes a raw disk that holds a Linux system without its kernel, in ext4: busybox, and an `init` that gives a shell on
 * the console, and powers off when that ends.
 */
export async function makeSmallSystem(directory: string): Promise<string> {
  const [root, disk] = [join(directory, 'root'), join(directory, 'root.raw')];
  for (const name of ['bin', 'sbin', 'dev', 'proc', 'etc']) await mkdir(join(root, name), { recursive: true });
  await copyFile(findCommand('busybox') ?? '', join(root, 'bin/busybox'));
  const init = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t proc proc /proc
mount -t devtmpfs devtmpfs /dev
PS1='small-system# ' sh
umount -a -r 2> /dev/null
poweroff -f
`;
  await writeFile(join(root, 'sbin/init'), init);
  await chmod(join(root, 'sbin/init'), 0o755);
  await writeFile(disk, '');
  await truncate(disk, 64 * 2 ** 20);
  const environment = { ...process.env, MKE2FS_CONFIG: '/dev/null' };
  await promisify(execFile)('mke2fs', ['-q', '-F', '-t', 'ext4', '-d', root, disk], { env: environment });
  return disk;
}
