import type { MachineSettings } from '../room/room.ts';
import { type EntryBoot, ownDiskTitle } from './ipxe-script.ts';
import { type MenuChoice, menuChoices } from './menu-choices.ts';

/**
 * The configuration of GRUB for a machine, which a signed shim starts: its own disk, then those entries that are in `boots`,
 * by their names. Disks that start by themselves are left out, as GRUB knows no iSCSI.
 *
 * Source: GNU GRUB 2.06 manual, "Writing full configuration files directly", "Quoting".
 */
export function grubMenu(settings: MachineSettings, boots: ReadonlyMap<string, EntryBoot>): string {
  const { hasMenu, mac, menuTimeoutMs, name } = settings;
  const bootable = new Map([...boots].filter(([, boot]) => boot.kernel !== undefined));
  const { choices, first } = menuChoices(settings, bootable);
  const timeout = menuTimeoutMs === 0 ? -1 : Math.ceil(menuTimeoutMs / 1000);
  return [
    `# ${name} (${mac})`,
    `set default=${quotedWord(first)}`,
    `set timeout=${hasMenu ? timeout : 0}`,
    `menuentry ${quotedWord(ownDiskTitle(settings))} --id local {`,
    // Back to the firmware, which goes on with its own boot order.
    '  exit',
    '}',
    ...choices.flatMap(entryLines),
    '',
  ].join('\n');
}

function entryLines({ boot, initramfs, kernel, label, title }: MenuChoice): string[] {
  const words = (boot.arguments ?? '').split(/ +/).filter((word) => word !== '');
  return [
    `menuentry ${quotedWord(title)} --id ${quotedWord(label)} {`,
    `  linux ${[`/${kernel}`, ...words].map(quotedWord).join(' ')}`,
    ...(initramfs.length === 0 ? [] : [`  initrd ${initramfs.map((name) => quotedWord(`/${name}`)).join(' ')}`]),
    '}',
  ];
}

/** A word that GRUB takes as it stands. */
function quotedWord(text: string): string {
  return /^[\w./:=@,+-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
