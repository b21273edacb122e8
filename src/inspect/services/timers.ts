import type { GuestTree } from '../../guest/guest-tree.ts';
import { attempt } from '../attempt.ts';
import { type FactSource, noWarnings, type Warn } from '../fact.ts';
import { entriesOf, readText } from '../guest-files.ts';
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
  const timers = await systemdTimers(await units, warn);
  const seen = new Set<string>();
  const system = await attempt('/etc/cron.d', warn, [], () => entriesOf(tree, '/etc/cron.d'));
  // cron itself passes over names with dots: what packages left behind.
  const tables = system.filter(({ name }) => /^[\w-]+$/.test(name)).map(({ path }) => path);
  for (const path of ['/etc/crontab', ...tables]) timers.push(...(await tableAt(tree, path, undefined, warn)));
  for (const directory of userTables) {
    for (const { name, path } of await attempt(directory, warn, [], () => entriesOf(tree, directory))) {
      if (!seen.has(name)) timers.push(...(await tableAt(tree, path, name, warn)));
      seen.add(name);
    }
  }
  for (const interval of intervals) timers.push(...(await scriptsOf(tree, interval, warn)));
  return timers.slice(0, mostTimers);
}

async function systemdTimers({ linked }: SystemdUnits, warn: Warn): Promise<Timer[]> {
  const timers: Timer[] = [];
  for (const { name, file } of linked) {
    if (!name.endsWith('.timer') || timers.length === mostTimers) continue;
    const schedule = scheduleOf((await readUnit(file, warn)).get('Timer'));
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
async function tableAt(tree: GuestTree, path: string, owner: string | undefined, warn: Warn): Promise<Timer[]> {
  const read = await attempt(path, warn, undefined, () => readText(tree, path));
  const timers: Timer[] = [];
  for (const [index, line] of (read?.text ?? '').split('\n').entries()) {
    const match = /^\s*(@\w+|(?:[\d*][^\s]*\s+)(?:\S+\s+){3}\S+)\s+(.+)$/.exec(line);
    if (!match || read === undefined || timers.length === mostTimers) continue;
    const [, user, command] = owner === undefined ? (/^(\S+)\s+(.+)$/.exec(match[2]!) ?? []) : ['', owner, match[2]!];
    if (command === undefined) continue;
    const schedule = match[1]!.replace(/\s+/g, ' ');
    const source = { path: read.path, record: `line ${index + 1}` };
    timers.push({ name: command.trim(), manager: 'cron', schedule, user, source });
  }
  return timers;
}

/** Scripts that run-parts starts for cron: those with a dot in their names it does not. */
async function scriptsOf(tree: GuestTree, interval: string, warn: Warn): Promise<Timer[]> {
  const timers: Timer[] = [];
  for (const directory of [`/etc/cron.${interval}`, `/etc/periodic/${interval}`]) {
    for (const { name, path, kind } of await attempt(directory, warn, [], () => entriesOf(tree, directory))) {
      if (kind === 'directory' || !/^[\w-]+$/.test(name)) continue;
      timers.push({ name, manager: 'cron', schedule: `@${interval}`, user: 'root', source: { path } });
    }
  }
  return timers;
}
