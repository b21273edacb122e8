import type { Entry, MachineSettings } from '../room/room.ts';
import type { EntryBoot } from './ipxe-script.ts';
import { fileName, type OverlayChoice } from './menu-names.ts';

/** A line of a menu of a loader without scripts. */
export interface MenuChoice {
  /** `web`, `web/discard`. */
  readonly label: string;
  readonly title: string;
  readonly entry: Entry;
  readonly boot: EntryBoot;
  /** What somebody chooses by it, where the room has them asked. */
  readonly overlay: OverlayChoice | undefined;
  /** Names that are asked for. */
  readonly kernel: string;
  readonly initramfs: readonly string[];
}

/** The lines of a menu besides the machine's own disk, and which of them, or `local`, is taken where nobody chooses. */
export interface MenuChoices {
  readonly choices: readonly MenuChoice[];
  readonly first: string;
}

/** Entries that cannot be booted now have no place in `boots` and none in the menu; those that ask have two. */
export function menuChoices(settings: MachineSettings, boots: ReadonlyMap<string, EntryBoot>): MenuChoices {
  const { defaultEntry, entries } = settings;
  const choices = entries.flatMap((entry) => {
    const boot = boots.get(entry.name);
    if (boot === undefined || entry.boot === 'local') return [];
    const overlays = entry.overlay === 'ask' ? (['keep', 'discard'] as const) : [undefined];
    return overlays.map((overlay) => choiceOf(settings, entry, boot, overlay));
  });
  const chosen = settings.hasMenu ? defaultEntry : entries[0];
  const first = choices.find(({ entry }) => entry.name === chosen?.name)?.label ?? 'local';
  return { choices, first };
}

const titles = { keep: 'keep what was changed', discard: 'start afresh' } as const;

function choiceOf(
  { mac }: MachineSettings,
  entry: Entry,
  boot: EntryBoot,
  overlay: OverlayChoice | undefined,
): MenuChoice {
  const { initramfs = [] } = boot;
  return {
    ...{ entry, boot, overlay },
    label: overlay === undefined ? entry.name : `${entry.name}/${overlay}`,
    title: overlay === undefined ? entry.title : `${entry.title}: ${titles[overlay]}`,
    kernel: fileName(mac, entry.name, overlay, 'kernel'),
    initramfs: initramfs.map((_, index) => fileName(mac, entry.name, overlay, `initramfs${index}`)),
  };
}
