import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { parseAge } from '../guest/usage/age.ts';
import { measureUsage } from '../guest/usage/measure-usage.ts';
import type { UsageDirectory, UsageIndex, UsageTotal } from '../guest/usage/usage-index.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { parseCount } from './input/count.ts';
import { parseDate } from './input/date.ts';
import { splitInnerPath } from './input/inner-path.ts';
import { addInsideOptions, type InsideOptions, openInside } from './input/inside-options.ts';
import { parseLevels, parsePort } from './input/usage-numbers.ts';
import { JsonArray } from './output/json-array.ts';
import { nameText } from './output/name-text.ts';
import { Problems } from './output/problems.ts';
import { TextOutput } from './output/text-output.ts';

interface Options extends InsideOptions {
  readonly older?: string;
  readonly mtime?: boolean;
  readonly asOf?: string;
  readonly depth?: number;
  readonly files?: boolean;
  readonly top?: number;
  readonly apparentSize?: boolean;
  readonly humanReadable?: boolean;
  readonly oneFileSystem?: boolean;
  readonly serve?: boolean;
  readonly port?: number;
  readonly html?: string;
  readonly force?: boolean;
  readonly snapshots?: boolean;
}

const help = `
Sizes are in KiB, of each directory with all below it. A file was last used when
it was read or written last; a directory, when the newest of its files was. Many
systems note once a day only that a file was read (relatime), or not at all
(noatime): then --mtime tells more.`;

/** `varve usage [DISK[:PATH]]` */
export const usageCommand: CommandModule<[string | undefined], Options> = {
  examples: [
    ['varve usage web:/var', 'where the space below /var went'],
    ['varve usage web --older 6m --depth 3', 'what nobody has used for six months'],
    ['varve usage web --files --top 20', 'the 20 largest files and directories'],
    ['varve usage web --serve', 'pages of coloured bars, for a browser on this machine'],
    ['varve usage --snapshots', 'what would be free without each snapshot'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addInsideOptions(
      command
        .argument('[disk[:path]]', 'a disk, or a directory in it: web:/var, ./disk.qcow2:/home')
        .option('-a, --older <age>', 'count only what is unused for 90d, 12w, 6m, 2y, or since a date')
        .option('--mtime', 'by when files were written, not when they were read')
        .option('--as-of <date>', 'count ages from then, in place of now')
        .option('-d, --depth <levels>', 'show so many levels of directories, or max; 1 by default', parseLevels)
        .option('--files', 'show files, too')
        .option('-n, --top <count>', 'show only the so many largest, the largest first', parseCount)
        .option('--apparent-size', 'by how long files are, not by what they take')
        .option('-H, --human-readable', 'sizes as 1.5 GiB')
        .option('-x, --one-file-system', 'leave out what is mounted below')
        .option('--serve', 'show pages of coloured bars to a browser on this machine')
        .option('--port <port>', 'with --serve: on this port; any by default', parsePort)
        .option('--html <file>', 'write such a page to a file, to --depth')
        .option('--force', 'with --html: replace a file that is there')
        .option('--snapshots', 'show what each snapshot of an image, or of all, owns alone'),
    ).addHelpText('after', help),
  async run(context, [argument], options) {
    requireSense(argument, options);
    if (options.snapshots) {
      const { showOwnership } = await import('./usage-snapshots.ts');
      return await showOwnership(context, argument, options);
    }
    const problems = new Problems(context);
    await showUsage(context, argument!, options, problems);
    return problems.exitStatus;
  },
};

/** @throws VarveError `INVALID` for what does not go together */
function requireSense(argument: string | undefined, options: Options): void {
  const { files, html, older, port, serve, snapshots, top } = options;
  if (argument === undefined && !snapshots) {
    throw new VarveError('INVALID', 'there is nothing to measure; name a disk, or give --snapshots');
  }
  const inSnapshots = { older, files, html, serve };
  const inPages = { older, top, ...(serve && { html, depth: options.depth }) };
  const given = Object.entries(snapshots ? inSnapshots : serve || html !== undefined ? inPages : {});
  const wrong = given.find(([, value]) => value !== undefined)?.[0];
  if (wrong !== undefined) {
    const other = snapshots ? '--snapshots' : serve ? '--serve' : '--html';
    throw new VarveError('INVALID', `--${wrong} does not go with ${other}; leave one of them out`);
  }
  if (port !== undefined && !serve) throw new VarveError('INVALID', '--port needs --serve');
}

async function showUsage(
  context: CommandContext,
  argument: string,
  options: Options,
  problems: Problems,
): Promise<void> {
  const now = options.asOf === undefined ? Date.now() : parseDate(options.asOf);
  const before = options.older === undefined ? undefined : parseAge(options.older, now, parseDate) / 1000;
  const signal = await context.startWork();
  const index = await measure(argument, context, options, problems, signal);
  if (options.serve || options.html !== undefined) {
    const { servePages, writePages } = await import('./usage-pages.ts');
    const { disk } = splitInnerPath(argument);
    const ageOf = options.mtime ? ('change' as const) : ('access' as const);
    const { depth = 1, force, html, port = 0 } = options;
    const pages = { disk, ageOf, now, nameText };
    if (html === undefined) await servePages(context, index, { ...pages, port }, signal);
    else await writePages(index, pages, { path: html, depth, force });
    return;
  }
  const rows = [...usageRows(index, index.totals({ before }), { ...options, before })];
  const shown = options.top === undefined ? rows : largest(rows, options.top);
  using output = new TextOutput();
  if (context.json) {
    const json = new JsonArray(output);
    for (const row of shown) json.add(rowJson(row));
    json.end();
  } else for (const row of shown) output.add(rowText(row, options));
}

async function measure(
  argument: string,
  context: CommandContext,
  options: Options,
  problems: Problems,
  signal: AbortSignal,
): Promise<UsageIndex> {
  const { disk, inner = '/' } = splitInnerPath(argument);
  const { apparentSize: byLength, files: keepsNames, mtime: byModified, oneFileSystem } = options;
  await using guest = await openInside(context, disk, options);
  const start = await guest.tree.resolve(inner);
  const measured = { byLength, byModified, keepsNames, oneFileSystem, onProblem: problems.note, signal };
  return await measureUsage(guest.tree, start, measured);
}

/** A directory or file that is shown. */
interface UsageRow extends UsageTotal {
  readonly path: string;
  readonly kind: 'directory' | 'file';
}

interface RowOptions extends Pick<Options, 'depth' | 'top'> {
  readonly before: number | undefined;
}

/** What is in a directory before the directory itself, as du(1) has it; the directories by the bytes of their names. */
function* usageRows(index: UsageIndex, totals: readonly UsageTotal[], options: RowOptions): Iterable<UsageRow> {
  // Whoever asks for the largest means those anywhere.
  const { depth: deepest = options.top === undefined ? 1 : Number.POSITIVE_INFINITY } = options;
  const way: number[] = [];
  const close = function* (until: number): Iterable<UsageRow> {
    while (way.length > 0 && index.directories[way.at(-1)!]!.endDirectory <= until) {
      const each = way.pop()!;
      const total = totals[each]!;
      if (total.newest !== undefined) yield { kind: 'directory', path: index.directories[each]!.path, ...total };
    }
  };
  for (const [each, directory] of index.directories.entries()) {
    yield* close(each);
    if (directory.depth > deepest) continue;
    way.push(each);
    if (directory.depth < deepest) yield* fileRows(index, directory, options);
  }
  yield* close(Number.POSITIVE_INFINITY);
}

function* fileRows(
  index: UsageIndex,
  directory: UsageDirectory,
  { before = Number.POSITIVE_INFINITY }: RowOptions,
): Iterable<UsageRow> {
  if (!index.keepsNames) return;
  const prefix = directory.path === '/' ? '/' : `${directory.path}/`;
  for (let item = directory.firstItem + 1; item < directory.ownEnd; item++) {
    const time = index.timeOf(item);
    if (time >= before) continue;
    const path = prefix + index.nameOf(item);
    yield { kind: 'file', path, bytes: index.sizeOf(item), files: 1, oldest: time, newest: time };
  }
}

function largest(rows: readonly UsageRow[], count: number): UsageRow[] {
  return rows.toSorted((a, b) => b.bytes - a.bytes).slice(0, count);
}

function rowText({ bytes, path }: UsageRow, { humanReadable }: Options): string {
  const size = humanReadable ? formatSize(bytes) : String(Math.ceil(bytes / 1024));
  return `${size.padEnd(11)} ${nameText(path)}\n`;
}

function rowJson({ bytes, files, kind, newest, oldest, path }: UsageRow): object {
  return { path, kind, bytes, files, oldest: isoTime(oldest), newest: isoTime(newest) };
}

/** Beyond what a `Date` can be there is no text for it. */
function isoTime(seconds = Number.NaN): string | null {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}
