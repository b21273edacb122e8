import { type GuestTree, textOf } from '../../guest/guest-tree.ts';
import { parseAssignments } from '../assignments.ts';
import { attempt } from '../attempt.ts';
import { type Fact, noWarnings, type Warn } from '../fact.ts';
import { readText } from '../guest-files.ts';

/** Finds a setting in a file's text, and on which line. */
type Find = (text: string) => { readonly value: string; readonly line: number } | undefined;

/** A guest's name, as its settings have it. */
export async function hostnameOf(tree: GuestTree, warn: Warn = noWarnings): Promise<Fact<string> | undefined> {
  return await firstOf(tree, warn, [
    ['/etc/hostname', firstLine],
    ['/etc/HOSTNAME', firstLine],
    ['/etc/sysconfig/network', assigned('HOSTNAME')],
    ['/etc/conf.d/hostname', assigned('hostname')],
  ]);
}

/** By what systemd and D-Bus know a guest: 32 hexadecimal digits; undefined before the first boot. */
export async function machineIdOf(tree: GuestTree, warn: Warn = noWarnings): Promise<Fact<string> | undefined> {
  const found = await firstOf(tree, warn, [
    ['/etc/machine-id', firstLine],
    ['/var/lib/dbus/machine-id', firstLine],
  ]);
  return found !== undefined && /^[0-9a-f]{32}$/.test(found.value) ? found : undefined;
}

/** The language and character set that programs are told: `en_US.UTF-8`. */
export async function localeOf(tree: GuestTree, warn: Warn = noWarnings): Promise<Fact<string> | undefined> {
  return await firstOf(tree, warn, [
    ['/etc/locale.conf', assigned('LANG')],
    ['/etc/default/locale', assigned('LANG')],
    ['/etc/sysconfig/i18n', assigned('LANG')],
    ['/etc/env.d/02locale', assigned('LANG')],
    ['/etc/profile.d/locale.sh', assigned('LANG')],
  ]);
}

/** The time zone: `Europe/Berlin`. */
export async function timezoneOf(tree: GuestTree, warn: Warn = noWarnings): Promise<Fact<string> | undefined> {
  const path = '/etc/localtime';
  const target = await attempt(path, warn, undefined, async () => {
    const link = await tree.find(path, { followLast: false });
    return link?.stat.kind === 'symlink' ? textOf(await link.fileSystem.readLink(link.node)) : undefined;
  });
  const value = /\/zoneinfo\/(?:posix\/|right\/)?(.+)$/.exec(target ?? '')?.[1];
  if (value !== undefined) return { value, source: { path } };
  return await firstOf(tree, warn, [
    ['/etc/timezone', firstLine],
    ['/etc/sysconfig/clock', assigned('ZONE')],
    ['/etc/TZ', firstLine],
  ]);
}

async function firstOf(
  tree: GuestTree,
  warn: Warn,
  places: readonly (readonly [path: string, find: Find])[],
): Promise<Fact<string> | undefined> {
  for (const [path, find] of places) {
    const fact = await attempt(path, warn, undefined, async () => {
      const read = await readText(tree, path);
      const found = read && find(read.text);
      if (!found) return undefined;
      return { value: found.value, source: { path: read.path, record: `line ${found.line}` } };
    });
    if (fact !== undefined) return fact;
  }
  return undefined;
}

/** The first line that is neither empty nor a comment. */
function firstLine(text: string): ReturnType<Find> {
  const lines = text.split('\n').map((line) => line.trim());
  const index = lines.findIndex((line) => line !== '' && !line.startsWith('#'));
  return index < 0 ? undefined : { value: lines[index]!, line: index + 1 };
}

function assigned(name: string): Find {
  return (text) => {
    const found = parseAssignments(text).get(name);
    return found?.value ? found : undefined;
  };
}
