import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import { type FactSource, noWarnings, type Warn } from '../fact.ts';
import { beginFact, entriesOf, type GuestText, readListed, readText } from '../guest-files.ts';
import { readUnit, type SystemdUnits, systemdUnits } from './systemd-units.ts';
import type { UnitSection } from './unit-file.ts';

/** Something that a guest does again and again. */
export interface Timer {
  /** A systemd unit, or what cron runs. */
  readonly name: string;
  readonly manager: 'systemd' | 'cron';
  /** As its settings have it: `daily`, `OnBootSec=15min`, `17 * * * *`. */
  readonly schedule: string;
  /** As whom cron runs it. */
  readonly user?: string | undefined;
  readonly source: FactSource;
}

const mostTimers = 20_000;
const longestLine = 4096;
const intervals = ['hourly', 'daily', 'weekly', 'monthly', 'yearly'];
const userTables = ['/var/spool/cron/crontabs', '/var/spool/cron/tabs', '/var/spool/cron'];

/**
 * The timers of systemd that start with a guest, and what cron does. Whoever has the guest's `units` already hands them in.
 *
 * Source: systemd.timer(5), crontab(5), cron(8).
 */
export async function timersOf(
  tree: GuestTree,
  warn: Warn = noWarnings,
  units: Promise<SystemdUnits> = systemdUnits(tree, warn),
): Promise<Timer[]> {
  beginFact(tree);
  const timers = await systemdTimers(tree, await units, warn);
  const seen = new Set<string>();
  const system = await attempt('/etc/cron.d', warn, [], () => entriesOf(tree, '/etc/cron.d'));
  // cron itself passes over names with dots: what packages left behind.
  const tables = system.filter(({ name }) => /^[\w-]+$/.test(name));
  const crontab = await attempt('/etc/crontab', warn, undefined, () => readText(tree, '/etc/crontab'));
  addTable(timers, crontab, undefined);
  for (const each of tables)
    addTable(timers, await attempt(each.path, warn, undefined, () => readListed(tree, each)), undefined);
  for (const directory of userTables) {
    for (const each of await attempt(directory, warn, [], () => entriesOf(tree, directory))) {
      if (seen.has(each.name)) continue;
      seen.add(each.name);
      addTable(timers, await attempt(each.path, warn, undefined, () => readListed(tree, each)), each.name);
    }
  }
  for (const interval of intervals) await addScripts(timers, tree, interval, warn);
  return timers;
}

async function systemdTimers(tree: GuestTree, { linked }: SystemdUnits, warn: Warn): Promise<Timer[]> {
  const timers: Timer[] = [];
  for (const { name, file } of linked) {
    if (!name.endsWith('.timer') || timers.length === mostTimers) continue;
    const schedule = scheduleOf((await readUnit(tree, file, warn)).get('Timer'));
    timers.push({ name, manager: 'systemd', schedule, source: { path: file.path } });
  }
  return timers;
}

function scheduleOf(section: UnitSection | undefined): string {
  const settings = [...(section ?? [])].filter(([name]) => /^On[A-Z]\w+$/.test(name));
  return settings
    .flatMap(([name, values]) => values.map((value) => (name === 'OnCalendar' ? value : `${name}=${value}`)))
    .join(', ');
}

/** A table of cron. In those of the system each line names a user, others are of one. */
function addTable(timers: Timer[], read: GuestText | undefined, owner: string | undefined): void {
  for (const [index, line] of (read?.text ?? '').split('\n').entries()) {
    if (read === undefined || timers.length === mostTimers) return;
    // cron itself takes no longer ones.
    if (line.length > longestLine) continue;
    const match = /^\s*(@\w+|[\d*]\S*\s+(?:\S+\s+){3}\S+)\s+(\S.*)$/s.exec(line);
    if (!match) continue;
    const [, user, command] =
      owner === undefined ? (/^(\S+)\s+(\S.*)$/s.exec(match[2]!) ?? []) : ['', owner, match[2]!];
    if (command === undefined) continue;
    const schedule = match[1]!.replace(/\s+/g, ' ');
    const source = { path: read.path, record: `line ${index + 1}` };
    timers.push({ name: command.trim(), manager: 'cron', schedule, user, source });
  }
}

/** Scripts that run-parts starts for cron: those with a dot in their names it does not. */
async function addScripts(timers: Timer[], tree: GuestTree, interval: string, warn: Warn): Promise<void> {
  for (const directory of [`/etc/cron.${interval}`, `/etc/periodic/${interval}`]) {
    for (const { name, path, kind } of await attempt(directory, warn, [], () => entriesOf(tree, directory))) {
      if (kind === 'directory' || !/^[\w-]+$/.test(name) || timers.length === mostTimers) continue;
      timers.push({ name, manager: 'cron', schedule: `@${interval}`, user: 'root', source: { path } });
    }
  }
}
