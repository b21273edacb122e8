import type { Entry, MachineSettings } from '../room/room.ts';
import { type EntryBoot, ownDiskTitle } from './ipxe-script.ts';
import { withKnownAddress } from './kernel-arguments.ts';
import { type MenuChoice, menuChoices } from './menu-choices.ts';
import { entryName } from './menu-names.ts';

/** What of SYSLINUX is served beside pxelinux. */
export interface PxelinuxModules {
  /** Whether menu.c32 is; without it the entries are listed, and their names typed. */
  readonly hasMenu: boolean;
}

/**
 * The configuration of PXELINUX for a machine: its own disk, then those entries that are in `boots`, by their names. Kernels
 * are called as `parseMenuName` reads them, so that asking for one begins a boot; disks that start by themselves are left to
 * iPXE, which `ipxe.lkrn` is.
 *
 * Source: SYSLINUX 6, doc/syslinux.txt and doc/pxelinux.txt.
 */
export function pxelinuxMenu(
  settings: MachineSettings,
  boots: ReadonlyMap<string, EntryBoot>,
  { hasMenu }: PxelinuxModules,
): string {
  const { menuTimeoutMs, name } = settings;
  const { choices, first } = menuChoices(settings, boots);
  const isShown = settings.hasMenu;
  return [
    `# ${name} (${settings.mac})`,
    // A module that is missing would end it.
    ...(isShown && hasMenu ? ['UI menu.c32', `MENU TITLE ${name}: what to boot`] : []),
    ...(isShown && !hasMenu ? [`SAY ${name}: type what to boot, or wait`] : []),
    ...(isShown && !hasMenu ? ['local', ...choices.map(({ label }) => label)].map((label) => `SAY   ${label}`) : []),
    `DEFAULT ${first}`,
    `PROMPT ${isShown && !hasMenu ? 1 : 0}`,
    `TIMEOUT ${isShown ? Math.round(menuTimeoutMs / 100) : 0}`,
    '',
    ...['LABEL local', `  MENU LABEL ${menuText(ownDiskTitle(settings))}`, '  LOCALBOOT 0', ''],
    ...choices.flatMap((choice) => labelLines(settings, choice)),
  ].join('\n');
}

function labelLines(
  { mac }: MachineSettings,
  { boot, entry, kernel, initramfs, label, overlay, title }: MenuChoice,
): string[] {
  const head = [`LABEL ${label}`, `  MENU LABEL ${menuText(title)}`];
  if (isForIpxe(entry)) return [...head, '  KERNEL ipxe.lkrn', `  INITRD ${entryName(mac, entry.name, overlay)}`, ''];
  const given = boot.arguments ?? '';
  const words = withKnownAddress(given, '');
  return [
    ...head,
    `  KERNEL ${kernel}`,
    ...(initramfs.length === 0 ? [] : [`  INITRD ${initramfs.join(',')}`]),
    // It adds the address that it has, as ip=.
    ...(given === words ? [] : ['  IPAPPEND 1']),
    // A hyphen keeps what stands for all of them away.
    `  APPEND ${words || '-'}`,
    '',
  ];
}

/** A caret would make the letter behind it a key. */
function menuText(title: string): string {
  return title.replaceAll('^', '');
}

function isForIpxe({ boot }: Entry): boolean {
  return boot === 'sanboot';
}
