import type { GuestTree } from '../../guest/guest-tree.ts';
import { readPart } from '../../guest/read-part.ts';
import { attempt } from '../attempt.ts';
import type { FactSource, Warn } from '../fact.ts';
import { entriesOf, fileOf, type GuestText, readListed } from '../guest-files.ts';
import { textInSection } from './unified-kernel.ts';

/** A kernel that an entry for boot loaders names. */
export interface BootEntry {
  readonly version?: string | undefined;
  readonly path: string;
  readonly initrds: readonly string[];
  readonly source: FactSource;
}

/** Where the partition of boot loaders may be mounted. */
const mounts = ['/boot', '/boot/efi', '/efi'];
/** The headers of a program for EFI, and the section that says which kernel is in it. */
const headLength = 1 << 16;
const mostEntries = 100;

/**
 * The kernels that entries for boot loaders name: `loader/entries/*.conf`, and kernels for EFI with all that they need.
 *
 * Source: UAPI Group, "Boot Loader Specification", types 1 and 2.
 */
export async function bootEntries(tree: GuestTree, warn: Warn): Promise<BootEntry[]> {
  const found: BootEntry[] = [];
  for (const mount of mounts) {
    const names = await attempt(mount, warn, [], () => entriesOf(tree, `${mount}/loader/entries`));
    for (const each of names.filter(({ name }) => name.endsWith('.conf')).slice(0, mostEntries)) {
      const read = await attempt(each.path, warn, undefined, () => readListed(tree, each));
      const entry = read && (await attempt(each.path, warn, undefined, () => entryOf(tree, mount, read)));
      if (entry !== undefined) found.push(entry);
    }
    const programs = await attempt(mount, warn, [], () => entriesOf(tree, `${mount}/EFI/Linux`));
    for (const each of programs.filter(({ name }) => /\.efi$/i.test(name)).slice(0, mostEntries)) {
      const entry = await attempt(each.path, warn, undefined, async () => {
        const file = await fileOf(tree, each);
        if (file === undefined) return undefined;
        const version = textInSection(await readPart(file, 0, headLength), '.uname');
        return { version, path: file.path, initrds: [], source: { path: file.path } };
      });
      if (entry !== undefined) found.push(entry);
    }
  }
  return found;
}

/** What `linux` and `initrd` name; their paths are those of the partition that the entry is on. */
async function entryOf(tree: GuestTree, mount: string, { path, text }: GuestText): Promise<BootEntry | undefined> {
  const values = new Map<string, string[]>();
  for (const line of text.split('\n')) {
    const [key = '', ...words] = line.trim().split(/[ \t]+/);
    values.set(key, [...(values.get(key) ?? []).slice(0, mostEntries), ...words.slice(0, mostEntries)]);
  }
  const placeOf = async (name: string): Promise<string> => {
    const file = (await tree.find(`${mount}/${name}`)) ?? (await tree.find(name));
    return file?.path ?? name;
  };
  const kernel = values.get('linux')?.[0];
  if (kernel === undefined) return undefined;
  const initrds: string[] = [];
  // GRUB's variables, such as $tuned_initrd, stand for files that are not known here.
  for (const each of values.get('initrd') ?? []) if (!each.startsWith('$')) initrds.push(await placeOf(each));
  return { version: values.get('version')?.[0], path: await placeOf(kernel), initrds, source: { path } };
}
