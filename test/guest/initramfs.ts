import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { promisify } from 'node:util';
import { findCommand } from '../../scripts/setup/project.mjs';
import { type ArchiveEntry, encodeCpio } from './cpio-archive.ts';
import type { GuestKernel } from './guest-kernel.ts';

/** What a guest has in memory when it starts. */
export interface InitramfsOptions {
  readonly kernel: GuestKernel;
  /** Of the kernel's, without `.ko`; what they need comes with them. */
  readonly modules?: readonly string[];
  /** Commands of this machine; their libraries come with them. busybox is always there. */
  readonly programs?: readonly string[];
  /** Paths here of programs that it has elsewhere, and whose libraries it lacks. */
  readonly otherPrograms?: readonly string[];
  /** Further files, by their paths without a slash in front. */
  readonly files?: Readonly<Record<string, Uint8Array>>;
  /** What is done once the modules are loaded. */
  readonly task: ScriptOrRoot;
}

/** Either a script for busybox's shell, with whose end the guest ends, or a disk whose ext4 is the system to start. */
export type ScriptOrRoot =
  | { readonly script: string }
  /** `init` is the first program that it runs; its `/sbin/init` where none is given. */
  | { readonly root: string; readonly init?: string };

/**
 * A first root file system. Its `init` loads the modules, sets the network up as QEMU's user networking has it (the
 * host is 10.0.2.2), and runs the script, and says `guest: ended with STATUS` before it powers off.
 */
export async function makeInitramfs(options: InitramfsOptions): Promise<Uint8Array> {
  const { files = {}, kernel, modules = [], otherPrograms = [], programs = [], task } = options;
  const all = new Map<string, ArchiveEntry>();
  const add = (path: string, mode: number, content: Uint8Array): void => {
    for (const directory of parents(path)) all.set(directory, { path: directory, mode: 0o40755 });
    all.set(path, { path, mode, content });
  };
  const paths = [mustFind('busybox'), ...programs.map(mustFind)];
  for (const path of paths) add(`bin/${basename(path)}`, 0o100755, await readFile(path));
  for (const path of [...paths, ...otherPrograms]) {
    for (const library of await librariesOf(path)) add(library.slice(1), 0o100755, await readFile(library));
  }
  const moduleFiles = await kernel.modules(...modules);
  for (const path of moduleFiles) add(`modules/${basename(path)}`, 0o100644, await readFile(path));
  for (const [path, content] of Object.entries(files)) add(path, 0o100644, content);
  const moduleNames = moduleFiles.map((path) => basename(path));
  add(
    'init',
    0o100755,
    Buffer.from(initScript(moduleNames) + ('root' in task ? startSystem(task.root, task.init) : runScript)),
  );
  if ('script' in task) add('script', 0o100644, Buffer.from(task.script));
  return encodeCpio([...all.values()].sort((one, other) => (one.path < other.path ? -1 : 1)));
}

function initScript(modules: readonly string[]): string {
  return `#!/bin/busybox sh
export PATH=/bin HOME=/tmp LC_ALL=C
/bin/busybox mkdir -p /proc /sys /dev /tmp /mnt /run /etc
/bin/busybox --install -s /bin 2> /dev/null
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
ln -sf /proc/mounts /etc/mtab
for module in ${modules.join(' ')}; do insmod /modules/$module; done
if [ -e /sys/class/net/eth0 ]; then
  ip link set lo up
  ip address add 10.0.2.15/24 dev eth0
  ip link set eth0 up
  ip route add default via 10.0.2.2
fi
`;
}

const runScript = `
sh /script
echo "guest: ended with $?"
poweroff -f
`;

function startSystem(root: string, init = '/sbin/init'): string {
  return `
mount ${root} /mnt
umount /proc /sys /dev
exec switch_root /mnt ${init}
`;
}

function* parents(path: string): Generator<string> {
  const directory = dirname(path);
  if (directory === '.') return;
  yield* parents(directory);
  yield directory;
}

function mustFind(name: string): string {
  const path = findCommand(name);
  if (path === undefined) throw new Error(`${name} is not installed`);
  return path;
}

/** The libraries that a program is started with, and what loads them; none where it is linked statically. */
export async function librariesOf(path: string): Promise<string[]> {
  const { stdout } = await promisify(execFile)('ldd', [path]).catch(() => ({ stdout: '' }));
  return [...stdout.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)].map(([, library = '']) => library);
}
