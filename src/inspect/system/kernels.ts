import type { GuestTree } from '../../guest/guest-tree.ts';
import { readPart } from '../../guest/read-part.ts';
import { attempt } from '../attempt.ts';
import { type FactSource, noWarnings, type Warn } from '../fact.ts';
import { entriesOf } from '../guest-files.ts';
import { type BootEntry, bootEntries } from './boot-entries.ts';

/** A Linux kernel that a guest may boot. */
export interface Kernel {
  /** As uname(1) would show it: `6.1.0-18-amd64`. */
  readonly version?: string | undefined;
  readonly path: string;
  /** Its initial file systems. */
  readonly initrds: readonly string[];
  /** Where its modules are. */
  readonly modules?: string | undefined;
  readonly source: FactSource;
}

const imageName = /^(?:vmlinuz|vmlinux|kernel|bzImage|Image|zImage|linux)(?:-(.+))?$/;
const initrdName = /^(?:initrd\.img|initramfs|initrd)(?:-(.+?))?(?:\.img)?$/;
/** A distribution keeps a handful. */
const mostKernels = 100;

/** The kernels in /boot, what boot loaders have entries for, and those beside their modules that are nowhere else; newest first. */
export async function kernelsOf(tree: GuestTree, warn: Warn = noWarnings): Promise<Kernel[]> {
  const boot = await attempt('/boot', warn, [], () => entriesOf(tree, '/boot'));
  const modules = await moduleDirectories(tree, warn);
  const kernels: Kernel[] = [];
  for (const { name, path, kind } of boot) {
    if (!imageName.test(name) || kind === 'symlink' || kernels.length === mostKernels) continue;
    const found = await attempt(path, warn, undefined, () => kernelAt(tree, path, name));
    if (found === undefined) continue;
    const initrds = boot.filter((each) => isInitrdOf(each.name, found)).map((each) => each.path);
    kernels.push({ ...found, initrds, modules: modules.get(found.version ?? '') });
  }
  for (const entry of await bootEntries(tree, warn)) addEntry(kernels, entry, modules);
  for (const [version, directory] of modules) {
    if (kernels.some((kernel) => kernel.version === version) || kernels.length === mostKernels) continue;
    const path = `${directory}/vmlinuz`;
    const found = await attempt(path, warn, undefined, () => kernelAt(tree, path, `vmlinuz-${version}`));
    if (found !== undefined) kernels.push({ ...found, initrds: [], modules: directory });
  }
  return kernels.length < 2 ? kernels : inOrder(kernels);
}

/** Adds what an entry says to the kernel that it names, or that kernel. */
function addEntry(kernels: Kernel[], entry: BootEntry, modules: ReadonlyMap<string, string>): void {
  const index = kernels.findIndex(({ path }) => path === entry.path);
  const known = kernels[index];
  if (known === undefined) {
    if (kernels.length < mostKernels) kernels.push({ ...entry, modules: modules.get(entry.version ?? '') });
  } else {
    kernels[index] = { ...known, initrds: [...new Set([...known.initrds, ...entry.initrds])] };
  }
}

/** Newest first. A collator takes as long to make as all else here, and most systems have one kernel. */
function inOrder(kernels: Kernel[]): Kernel[] {
  const order = new Intl.Collator('en', { numeric: true });
  return kernels.sort((a, b) => order.compare(b.version ?? '', a.version ?? '') || order.compare(a.path, b.path));
}

async function moduleDirectories(tree: GuestTree, warn: Warn): Promise<Map<string, string>> {
  const directory = '/lib/modules';
  const entries = await attempt(directory, warn, [], () => entriesOf(tree, directory));
  return new Map(entries.filter(({ name }) => /^\d/.test(name)).map(({ name, path }) => [name, path]));
}

async function kernelAt(
  tree: GuestTree,
  path: string,
  name: string,
): Promise<Pick<Kernel, 'version' | 'path' | 'source'> | undefined> {
  const file = await tree.find(path, { followLast: false });
  if (file?.stat.kind !== 'file') return undefined;
  const version = versionInImage(await readPart(file, 0, 1 << 16)) ?? imageName.exec(name)?.[1];
  return { version, path: file.path, source: { path: file.path } };
}

/**
 * The version that a kernel for x86 names in its header.
 *
 * Source: Linux, Documentation/arch/x86/boot.rst: "HdrS" at 0x202; at 0x20e the text's offset, less 0x200.
 */
function versionInImage(bytes: Uint8Array): string | undefined {
  if (bytes.length < 0x210 || String.fromCharCode(...bytes.subarray(0x202, 0x206)) !== 'HdrS') return undefined;
  const start = new DataView(bytes.buffer, bytes.byteOffset).getUint16(0x20e, true) + 0x200;
  const text = new TextDecoder('latin1').decode(bytes.subarray(start, start + 256));
  return /^\d[\x21-\x7e]*/.exec(text)?.[0];
}

function isInitrdOf(name: string, { path, version }: Pick<Kernel, 'path' | 'version'>): boolean {
  const match = initrdName.exec(name);
  if (!match || /kdump/.test(name)) return false;
  // Where names carry no version, they carry what the kernel's has: linux, linux-lts.
  const suffix = imageName.exec(path.slice(path.lastIndexOf('/') + 1))?.[1];
  const own = match[1]?.replace(/-fallback$/, '');
  return own === undefined ? suffix === undefined : own === version || own === suffix;
}
