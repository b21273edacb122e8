import { type GuestFile, type GuestTree, textOf } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import type { Warn } from '../fact.ts';
import { beginFact, entriesOf, fileOf, kindOf, type ListedFile, textOfFile } from '../guest-files.ts';
import { parseUnitFile, type UnitSection } from './unit-file.ts';

/** Where units stand, the first of a name counts. The first directory is the administrator's. Source: systemd.unit(5). */
const directories = [
  ...['/etc/systemd/system', '/usr/local/lib/systemd/system', '/usr/lib/systemd/system', '/lib/systemd/system'],
];
/** Where systemd itself is, if it is what a guest starts with. */
const programs = ['/usr/lib/systemd/systemd', '/lib/systemd/systemd'];

/** More are not looked at. */
const mostLinks = 200_000;

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
  /** That of the unit, or of the template that it is an instance of. */
  readonly file: GuestFile;
  readonly links: readonly UnitLink[];
}

/** systemd's part of a guest. */
export interface SystemdUnits {
  /** Whether the guest has systemd, and not only units for it. */
  readonly isThere: boolean;
  /** The names of all units, masked ones among them. */
  readonly names: ReadonlySet<string>;
  /** Those that are linked from others, or have other names, but for masked ones and such that are not there. */
  readonly linked: readonly LinkedUnit[];
}

/** Which units a guest has, and which of them start with others. */
export async function systemdUnits(tree: GuestTree, warn: Warn): Promise<SystemdUnits> {
  beginFact(tree);
  const listed = await listDirectories(tree, warn);
  const units = new Map<string, ListedFile>();
  for (const { entries } of listed) {
    for (const entry of entries) if (!units.has(entry.name)) units.set(entry.name, entry);
  }
  const linked: LinkedUnit[] = [];
  for (const [name, links] of await linksOf(tree, listed, warn)) {
    const entry = units.get(name) ?? units.get(name.replace(/@[^@]*\./, '@.'));
    const file = entry && (await attempt(entry.path, warn, undefined, () => fileOfUnit(tree, entry)));
    if (file !== undefined) linked.push({ name, file, links });
  }
  linked.sort((a, b) => (a.name < b.name ? -1 : 1));
  return { isThere: await hasProgram(tree, warn), names: new Set(units.keys()), linked };
}

interface Listed {
  readonly entries: readonly ListedFile[];
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

/** The links that are there, by the unit that they lead to. */
async function linksOf(tree: GuestTree, listed: readonly Listed[], warn: Warn): Promise<Map<string, UnitLink[]>> {
  const links = new Map<string, UnitLink[]>();
  let count = 0;
  const add = (name: string, link: UnitLink) => {
    count += 1;
    if (count > mostLinks) return;
    const known = links.get(name);
    if (known === undefined) links.set(name, [link]);
    else known.push(link);
  };
  for (const { entries, isEnabled } of listed) {
    for (const entry of entries) {
      if (count > mostLinks) return links;
      const by = /^(.+)\.(?:wants|requires|upholds)$/.exec(entry.name)?.[1];
      if (by !== undefined) {
        const names = await attempt(entry.path, warn, [], () => entriesOf(tree, entry.path));
        for (const { name, path } of names) add(name, { by, path, isEnabled });
      } else if (isEnabled) {
        const name = await attempt(entry.path, warn, undefined, () => aliased(entry));
        if (name !== undefined) add(name, { by: entry.name, path: entry.path, isEnabled });
      }
    }
  }
  return links;
}

/** What a link beside the units is another name of. Targets have aliases by which nothing starts. */
async function aliased(entry: ListedFile): Promise<string | undefined> {
  if ((await kindOf(entry)) !== 'symlink') return undefined;
  const target = textOf(await entry.fileSystem.readLink(entry.node));
  const unit = target.slice(target.lastIndexOf('/') + 1);
  return unit === entry.name || unit.endsWith('.target') || !unit.includes('.') ? undefined : unit;
}

/** Undefined for a masked one: a link to nothing, or an empty file. */
async function fileOfUnit(tree: GuestTree, entry: ListedFile): Promise<GuestFile | undefined> {
  const file = await fileOf(tree, entry);
  return file !== undefined && file.stat.size > 0 ? file : undefined;
}

async function hasProgram(tree: GuestTree, warn: Warn): Promise<boolean> {
  for (const path of programs) {
    if ((await attempt(path, warn, undefined, () => tree.find(path))) !== undefined) return true;
  }
  return false;
}

/** What is in a unit's file, by sections; nothing where it cannot be read. */
export async function readUnit(
  tree: GuestTree,
  file: GuestFile,
  warn: Warn,
): Promise<ReadonlyMap<string, UnitSection>> {
  return parseUnitFile(await attempt(file.path, warn, '', () => textOfFile(tree, file)));
}
