import { type Command, InvalidArgumentError, Option } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import type { LogEntry } from '../journal/log-entry.ts';
import { type LogQuery, logFilter } from '../journal/log-filter.ts';
import { shortEntry } from '../journal/output/short-entry.ts';
import { exportEntry, jsonEntry, verboseEntry } from '../journal/output/whole-entry.ts';
import { type Boot, bootsOf, type GuestLogs, type LogSource, openLogs } from '../journal/read-logs.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addInsideOptions, type InsideOptions, openInside } from './input/inside-options.ts';
import { parseLogMoment } from './input/log-moment.ts';
import { parseMatches, parseMessagePattern, parsePriorities } from './input/log-query.ts';
import { formatTable } from './output/format-table.ts';
import { JsonArray } from './output/json-array.ts';
import { localTime } from './output/local-time.ts';
import { Problems } from './output/problems.ts';
import { safeText } from './output/safe-text.ts';
import { TextOutput } from './output/text-output.ts';

type OutputMode = 'short' | 'short-iso' | 'verbose' | 'json' | 'cat' | 'export';

interface Options extends InsideOptions {
  readonly unit?: string[];
  readonly identifier?: string[];
  readonly priority?: LogQuery['priorities'];
  readonly boot?: string | true;
  readonly listBoots?: boolean;
  readonly since?: number;
  readonly until?: number;
  readonly grep?: RegExp;
  readonly dmesg?: boolean;
  readonly lines?: number | true;
  readonly reverse?: boolean;
  readonly output?: OutputMode;
  readonly all?: boolean;
  readonly utc?: boolean;
  readonly quiet?: boolean;
  readonly source?: LogSource;
}

const modes: OutputMode[] = ['short', 'short-iso', 'verbose', 'json', 'cat', 'export'];
const someLines = 10;

const help = `
Reads what systemd's journal has in /var/log/journal, or where there is none,
the text files of syslog: /var/log/syslog, messages, auth.log, kern.log and
others, also those that logrotate has compressed. Options are as journalctl(1)
has them; a boot is one of the disk: -b the last one, -b -1 the one before, -b 1
the first.`;

/** `varve journal DISK [FIELD=VALUE…]` */
export const journalCommand: CommandModule<string[], Options> = {
  examples: [
    ['varve journal web -u ssh --since yesterday', 'what a service noted'],
    ['varve journal web -b -p err', 'what went wrong since the last boot'],
    ['varve journal ./broken.qcow2 -k -n 50', 'the last words of the kernel'],
    ['varve journal web@3 -o export | systemd-journal-remote -o web.journal -', 'for other programs'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addInsideOptions(
      command
        .argument('<disk>', 'the disk: web, web@3, ./disk.qcow2, nbd://…, https://…')
        .argument('[matches...]', 'values that fields have: _PID=1, _UID=0')
        .option('-u, --unit <name>', 'of this unit; may be given again', collect)
        .option('-t, --identifier <name>', 'by who says so of itself; may be given again', collect)
        .option('-p, --priority <level>', 'of this priority, or worse: err, warning..notice', parsePriorities)
        .option('-b, --boot [boot]', 'of the last boot, or that with this number or id')
        .option('--list-boots', 'list the boots')
        .option('--since <time>', 'not earlier: 2026-03-01, "2026-03-01 10:30", -2h', parseLogMoment)
        .option('--until <time>', 'not later', parseLogMoment)
        .option('-g, --grep <pattern>', 'whose message a pattern matches', parseMessagePattern)
        .option('-k, --dmesg', 'of the kernel, since the last boot')
        .option('-n, --lines [count]', `the last so many; ${someLines} where it says no number`, parseLines)
        .option('-r, --reverse', 'the newest first')
        .addOption(new Option('-o, --output <mode>', 'how they are shown').choices(modes))
        .option('-a, --all', 'all of long fields, and of those that are no text')
        .option('--utc', 'times in UTC')
        .option('-q, --quiet', 'without the lines between boots')
        .addOption(new Option('--source <which>', 'which logs are read').choices(['journal', 'syslog'])),
    ).addHelpText('after', help),
  async run(context, [disk, ...matches], options) {
    const problems = new Problems(context);
    await using guest = await openInside(context, disk!, options);
    const logs = await openLogs(guest.tree, { source: options.source, onDamage: problems.note });
    if (options.listBoots) await listBoots(context, logs, options);
    else await showEntries(context, logs, await queryOf(logs, matches, options), options);
    return problems.exitStatus;
  },
};

async function queryOf(logs: GuestLogs, matches: readonly string[], options: Options): Promise<LogQuery> {
  const { boot, dmesg, grep, identifier, priority, since, unit, until } = options;
  const hasBoots = logs.source === 'journal';
  if (!hasBoots && boot !== undefined) throw new VarveError('INVALID', 'text logs know no boots; leave out --boot');
  if (!hasBoots && priority !== undefined) {
    throw new VarveError('INVALID', 'text logs know no priorities; leave out --priority');
  }
  const wantsBoot = hasBoots && (boot !== undefined || dmesg);
  return {
    ...{ units: unit, identifiers: identifier, priorities: priority, pattern: grep, isKernel: dmesg, since, until },
    matches: parseMatches(matches),
    bootId: wantsBoot ? await bootIdOf(logs, boot ?? true) : undefined,
  };
}

async function bootIdOf(logs: GuestLogs, boot: string | true): Promise<string> {
  if (boot === true || /^-?0$/.test(boot)) {
    for await (const { place } of logs.entries(true)) if (place !== undefined) return place.bootId;
    return '';
  }
  const id = boot.replaceAll('-', '').toLowerCase();
  if (/^[0-9a-f]{32}$/.test(id)) return id;
  if (!/^[+-]?\d{1,9}$/.test(boot))
    throw new VarveError('INVALID', `${JSON.stringify(boot)} is no boot; try --list-boots`);
  const boots = await bootsOf(logs);
  const number = Number(boot);
  const found = boots[number > 0 ? number - 1 : boots.length - 1 + number];
  if (found === undefined) throw new VarveError('NOT_FOUND', `there is no boot ${boot}; there are ${boots.length}`);
  return found.id;
}

async function listBoots(context: CommandContext, logs: GuestLogs, { utc }: Options): Promise<void> {
  const boots = await bootsOf(logs);
  const time = (realtime: number) =>
    utc ? new Date(realtime / 1000).toISOString().replace(/\.\d+/, '') : localTime(Math.floor(realtime / 1000));
  const number = (index: number) => index - boots.length + 1;
  context.show(
    () => boots.map((boot, index) => ({ index: number(index), ...boot })),
    () =>
      formatTable(
        [{ title: 'BOOT', align: 'right' }, { title: 'ID' }, { title: 'FIRST' }, { title: 'LAST' }],
        boots.map(({ first, id, last }: Boot, index) => [String(number(index)), id, time(first), time(last)]),
      ),
  );
}

async function showEntries(context: CommandContext, logs: GuestLogs, query: LogQuery, options: Options): Promise<void> {
  using output = new TextOutput();
  if (context.json) {
    const array = new JsonArray(output);
    for await (const entry of wanted(logs, query, options))
      array.add(jsonEntry(entry, { isAll: options.all ?? false }));
    array.end();
    return;
  }
  const { output: mode = 'short', quiet } = options;
  const showsBoots = !quiet && /^(short|verbose)/.test(mode);
  // Other programs get what is there, a terminal nothing that it would obey.
  const safe = process.stdout.isTTY ? asShown : (piece: string | Uint8Array) => piece;
  let bootId: string | undefined;
  for await (const entry of wanted(logs, query, options)) {
    const id = entry.place?.bootId;
    if (showsBoots && bootId !== undefined && id !== bootId) output.add(`-- Boot ${id} --\n`);
    bootId = id;
    output.add(safe(shown(entry, mode, options)));
  }
  if (showsBoots && bootId === undefined && logs.source === 'journal') output.add('-- No entries --\n');
}

function asShown(piece: string | Uint8Array): string {
  return safeText(typeof piece === 'string' ? piece : new TextDecoder().decode(piece));
}

function shown(
  entry: LogEntry,
  mode: OutputMode,
  { all: isAll = false, utc: isUtc = false }: Options,
): string | Uint8Array {
  const options = { isAll, isUtc };
  if (mode === 'verbose') return verboseEntry(entry, options);
  if (mode === 'json') return `${JSON.stringify(jsonEntry(entry, options))}\n`;
  if (mode === 'export') return exportEntry(entry);
  if (mode !== 'cat') return shortEntry(entry, options, mode === 'short' ? 'short' : 'iso');
  const message = entry.fields.find(({ name }) => name === 'MESSAGE');
  return message === undefined ? '' : Buffer.concat([message.value, Buffer.from('\n')]);
}

/** The entries that are to be shown, in that order; with `--lines` the logs are read from their end. */
async function* wanted(
  logs: GuestLogs,
  query: LogQuery,
  { lines: given, reverse: isReverse = false }: Options,
): AsyncGenerator<LogEntry> {
  const isWanted = logFilter(query);
  const most = given === true ? someLines : (given ?? Number.POSITIVE_INFINITY);
  const last: LogEntry[] = [];
  const isFromEnd = isReverse || given !== undefined;
  let count = 0;
  if (most > 0) {
    for await (const entry of logs.entries(isFromEnd)) {
      if (!isWanted(entry)) continue;
      count += 1;
      if (isFromEnd && !isReverse) last.push(entry);
      else yield entry;
      if (count >= most) break;
    }
  }
  yield* last.reverse();
}

function parseLines(text: string): number {
  if (/^\d{1,7}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Write a number of lines.');
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
