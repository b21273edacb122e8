import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { type Fetched, unpackedPackage } from './debian-package.ts';

/** A Linux for virtual machines. */
export interface GuestKernel {
  /** Of the kernel itself. */
  readonly path: string;
  /** The files of the modules that bring these, in the order in which they are to be loaded. */
  modules(...names: string[]): Promise<readonly string[]>;
}

/** The kernel that Debian has for virtual machines in a cloud: most drivers are modules, ext4 is built in. */
export async function guestKernel(): Promise<Fetched<GuestKernel>> {
  const unpacked = await unpackedPackage('linux-image-cloud-amd64');
  if ('reason' in unpacked) return unpacked;
  const boot = join(unpacked.directory, 'boot');
  const image = (await readdir(boot)).find((name) => name.startsWith('vmlinuz-'));
  if (image === undefined) return { reason: `there is no kernel in ${boot}` };
  const paths = await readdir(join(unpacked.directory, 'lib/modules'), { recursive: true });
  const files = paths.filter((path) => path.endsWith('.ko'));
  const byName = new Map(files.map((path) => [moduleName(path), join(unpacked.directory, 'lib/modules', path)]));
  return { path: join(boot, image), modules: (...names) => inOrder(byName, names) };
}

/** What a module needs is loaded before it. */
async function inOrder(files: ReadonlyMap<string, string>, names: readonly string[]): Promise<readonly string[]> {
  const order = new Set<string>();
  for (const name of names) {
    const file = files.get(name);
    if (file === undefined) throw new Error(`the kernel has no module ${name}`);
    for (const needed of await inOrder(files, await neededBy(file))) order.add(needed);
    order.add(file);
  }
  return [...order];
}

/** A module says in its section .modinfo what it needs: `depends=virtio,virtio_ring`. */
async function neededBy(file: string): Promise<string[]> {
  const [, list = ''] = /\0depends=([\w,-]*)\0/.exec(await readFile(file, 'latin1')) ?? [];
  return list === '' ? [] : list.split(',').map(moduleName);
}

function moduleName(path: string): string {
  return basename(path, '.ko').replaceAll('-', '_');
}
