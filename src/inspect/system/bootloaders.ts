import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import { type FactSource, noWarnings, type Warn } from '../fact.ts';
import { entriesOf } from '../guest-files.ts';

/** What starts a guest's kernel. */
export interface Bootloader {
  /** `GRUB`, `systemd-boot`, `extlinux`, … */
  readonly name: string;
  /** Which firmware finds it; undefined where its files do not tell. */
  readonly firmware?: 'BIOS' | 'EFI' | undefined;
  /** Its settings. */
  readonly configuration?: string | undefined;
  readonly source: FactSource;
}

/** A file, or names in a directory, by which a boot loader is known. */
interface Trace {
  readonly name: string;
  readonly firmware?: 'BIOS' | 'EFI';
  readonly path: string;
  /** Where `path` is a directory: what a name in it has to be, in lower case. */
  readonly names?: RegExp;
  readonly configurations?: readonly string[];
}

/** Where EFI's own partition may be mounted. */
const efiDirectories = ['/boot/efi', '/efi', '/boot'];
const grubConfigurations = ['/boot/grub/grub.cfg', '/boot/grub2/grub.cfg'];

const traces: readonly Trace[] = [
  ...grubConfigurations.map((path): Trace => {
    const configurations = [path];
    return { name: 'GRUB', firmware: 'BIOS', path: path.replace('grub.cfg', 'i386-pc/core.img'), configurations };
  }),
  { name: 'GRUB Legacy', firmware: 'BIOS', path: '/boot/grub/menu.lst', configurations: ['/boot/grub/menu.lst'] },
  { name: 'GRUB Legacy', firmware: 'BIOS', path: '/boot/grub/grub.conf', configurations: ['/boot/grub/grub.conf'] },
  ...['/boot/extlinux/extlinux.conf', '/boot/extlinux.conf', '/extlinux.conf'].map(
    (path): Trace => ({ name: 'extlinux', path, configurations: [path] }),
  ),
  ...['/boot/syslinux/syslinux.cfg', '/syslinux.cfg'].map(
    (path): Trace => ({ name: 'SYSLINUX', firmware: 'BIOS', path, configurations: [path] }),
  ),
  ...efiDirectories.flatMap((directory): Trace[] => [
    {
      name: 'systemd-boot',
      firmware: 'EFI',
      path: `${directory}/EFI/systemd`,
      names: /^systemd-boot[a-z0-9]+\.efi$/,
      configurations: [`${directory}/loader/loader.conf`],
    },
    { name: 'rEFInd', firmware: 'EFI', path: `${directory}/EFI/refind`, names: /^refind_[a-z0-9]+\.efi$/ },
    { name: 'Windows Boot Manager', firmware: 'EFI', path: `${directory}/EFI/Microsoft/Boot/bootmgfw.efi` },
    { name: 'Limine', firmware: 'EFI', path: `${directory}/limine.conf`, configurations: [`${directory}/limine.conf`] },
  ]),
  { name: 'LILO', firmware: 'BIOS', path: '/etc/lilo.conf', configurations: ['/etc/lilo.conf'] },
  { name: 'zipl', path: '/etc/zipl.conf', configurations: ['/etc/zipl.conf'] },
  { name: 'U-Boot', path: '/boot/boot.scr', configurations: ['/boot/boot.scr'] },
  {
    name: 'Raspberry Pi firmware',
    path: '/boot/firmware/start4.elf',
    configurations: ['/boot/firmware/config.txt'],
  },
  { name: 'Raspberry Pi firmware', path: '/boot/start4.elf', configurations: ['/boot/config.txt'] },
  { name: 'Windows Boot Manager', firmware: 'BIOS', path: '/bootmgr', configurations: ['/Boot/BCD'] },
];

/** The boot loaders that a guest's files show. What stands before the first partition, or on one not mounted, is not looked at. */
export async function bootloadersOf(tree: GuestTree, warn: Warn = noWarnings): Promise<Bootloader[]> {
  const found: Bootloader[] = [];
  for (const trace of [...traces, ...(await efiVendors(tree, warn))]) {
    const loader = await attempt(trace.path, warn, undefined, () => follow(tree, trace));
    const isKnown = found.some(({ name, firmware }) => name === loader?.name && firmware === loader.firmware);
    if (loader !== undefined && !isKnown) found.push(loader);
  }
  if (found.length > 0) return found;
  // Settings alone: it is meant to be started by GRUB, and what starts that is somewhere else.
  for (const path of grubConfigurations) {
    const loader = await attempt(path, warn, undefined, () =>
      follow(tree, { name: 'GRUB', path, configurations: [path] }),
    );
    if (loader !== undefined) return [loader];
  }
  return [];
}

/** GRUB has a directory by its distribution's name on EFI's partition. */
async function efiVendors(tree: GuestTree, warn: Warn): Promise<Trace[]> {
  const vendors: Trace[] = [];
  for (const mount of efiDirectories) {
    const directory = `${mount}/EFI`;
    for (const { path, name } of await attempt(directory, warn, [], () => entriesOf(tree, directory))) {
      if (/^(?:systemd|refind|microsoft)$/i.test(name) || vendors.length === 100) continue;
      const configurations = [...grubConfigurations, `${path}/grub.cfg`];
      vendors.push({ name: 'GRUB', firmware: 'EFI', path, names: /^(?:grub|shim)[a-z0-9]*\.efi$/, configurations });
    }
  }
  return vendors;
}

async function follow(tree: GuestTree, trace: Trace): Promise<Bootloader | undefined> {
  const { name, firmware, names, configurations = [] } = trace;
  const path = names === undefined ? trace.path : await nameIn(tree, trace.path, names);
  const file = path === undefined ? undefined : await tree.find(path);
  if (file?.stat.kind !== 'file') return undefined;
  let configuration: string | undefined;
  for (const each of configurations) configuration ??= (await tree.find(each))?.path;
  return { name, firmware, configuration, source: { path: file.path } };
}

async function nameIn(tree: GuestTree, directory: string, names: RegExp): Promise<string | undefined> {
  return (await entriesOf(tree, directory)).find(({ name }) => names.test(name.toLowerCase()))?.path;
}
