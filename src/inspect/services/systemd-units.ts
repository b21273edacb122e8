import { type GuestTree, textOf } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import type { Warn } from '../fact.ts';
import { entriesOf, type GuestEntry, readText } from '../guest-files.ts';
import { parseUnitFile, type UnitSection } from './unit-file.ts';

/** Where units stand, the first of a name counts. The first directory is the administrator's. Source: systemd.unit(5). */
const directories = [
  ...['/etc/systemd/system', '/usr/local/lib/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'],
];

/** A link that has a unit start with another one. */
export interface UnitLink {
  /** `multi-user.target`; of an alias the other name. */
  readonly by: string;
  /** The link itself. */
  readonly path: string;
  /** Whether the administrator made it, and not the distribution for good. */
  readonly isEnabled: boolean;
}

/** A unit that is linked from somewhere. */
export interface LinkedUnit {
  readonly name: string;
  /** The file of the unit, or of the template that it is an instance of. */
  readonly path: string;
  readonly links: readonly UnitLink[];
}

/** The units of a guest that are linked from others, or have other names; masked ones and such that are not there do not count. */
export async function linkedUnits(tree: GuestTree, warn: Warn): Promise<LinkedUnit[]> {
  const listed = await listDirectories(tree, warn);
  const units = new Map<string, GuestEntry>();
  for (const { entries } of listed)
    for (const entry of entries) if (!units.has(entry.name)) units.set(entry.name, entry);
  const links = new Map<string, UnitLink[]>();
  const add = (name: string, link: UnitLink) => links.set(name, [...(links.get(name) ?? []), link]);
  for (const { entries, isEnabled } of listed) {
    for (const entry of entries) {
      const by = /^(.+)\.(?:wants|requires|upholds)$/.exec(entry.name)?.[1];
      if (by !== undefined) {
        const names = await attempt(entry.path, warn, [], () => entriesOf(tree, entry.path));
        for (const { name, path } of names) add(name, { by, path, isEnabled });
      } else if (isEnabled && entry.kind === 'symlink') {
        const name = await attempt(entry.path, warn, undefined, () => aliased(entry));
        if (name !== undefined) add(name, { by: entry.name, path: entry.path, isEnabled });
      }
    }
  }
  const found: LinkedUnit[] = [];
  for (const [name, its] of links) {
    const entry = units.get(name) ?? units.get(name.replace(/@[^@]*\./, '@.'));
    const path = entry && (await attempt(entry.path, warn, undefined, () => pathOfUnit(tree, entry)));
    if (path !== undefined) found.push({ name, path, links: its });
  }
  return found.sort((a, b) => (a.name < b.name ? -1 : 1));
}

interface Listed {
  readonly entries: readonly GuestEntry[];
  readonly isEnabled: boolean;
}

async function listDirectories(tree: GuestTree, warn: Warn): Promise<Listed[]> {
  const listed: Listed[] = [];
  const seen = new Set<string>();
  for (const [index, path] of directories.entries()) {
    const directory = await attempt(path, warn, undefined, () => tree.find(path));
    // /lib is /usr/lib nowadays.
    if (directory === undefined || seen.has(directory.path)) continue;
    seen.add(directory.path);
    listed.push({ entries: await attempt(path, warn, [], () => entriesOf(tree, path)), isEnabled: index === 0 });
  }
  return listed;
}

/** What a link beside the units is another name of. Targets have aliases by which nothing starts. */
async function aliased({ fileSystem, name, node }: GuestEntry): Promise<string | undefined> {
  const target = textOf(await fileSystem.readLink(node));
  const unit = target.slice(target.lastIndexOf('/') + 1);
  return unit === name || unit.endsWith('.target') || !unit.includes('.') ? undefined : unit;
}

/** Undefined for a masked one: a link to nothing, or an empty file. */
async function pathOfUnit(tree: GuestTree, { path }: GuestEntry): Promise<string | undefined> {
  const file = await tree.find(path);
  return file?.stat.kind === 'file' && file.stat.size > 0 ? file.path : undefined;
}

/** What is in a unit's file, by sections; nothing where it cannot be read. */
export async function readUnit(tree: GuestTree, path: string, warn: Warn): Promise<ReadonlyMap<string, UnitSection>> {
  const read = await attempt(path, warn, undefined, () => readText(tree, path));
  return parseUnitFile(read?.text ?? '');
}
