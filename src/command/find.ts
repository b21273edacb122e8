import { type Command, Option } from 'commander';
import { type Accounts, readAccounts } from '../guest/accounts.ts';
import {
  type FileTest,
  momentTest,
  parseAgeTest,
  parseKinds,
  parseLinksTest,
  parseMoment,
  parsePermissionsTest,
  parseSizeTest,
} from '../guest/find/file-tests.ts';
import { type FindQuery, type FoundFile, findFiles } from '../guest/find/find-files.ts';
import { globMatcher } from '../guest/find/glob.ts';
import { bytesOf, type GuestFile } from '../guest/guest-tree.ts';
import { lookAtFile } from '../guest/look-at-files.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { accountNumber } from './input/account.ts';
import { parseCount } from './input/count.ts';
import { parseDate } from './input/date.ts';
import { splitInnerPath } from './input/inner-path.ts';
import { addInsideOptions, type InsideOptions, openInside } from './input/inside-options.ts';
import { fileJson } from './output/file-json.ts';
import { type FileTime, fileTimes, timeText } from './output/file-text.ts';
import { JsonArray } from './output/json-array.ts';
import { longListing } from './output/long-listing.ts';
import { nameText } from './output/name-text.ts';
import { Problems } from './output/problems.ts';
import { TextOutput } from './output/text-output.ts';

interface Options extends InsideOptions {
  readonly name?: readonly string[];
  readonly iname?: readonly string[];
  readonly path?: readonly string[];
  readonly type?: string;
  readonly size?: string;
  readonly newer?: string;
  readonly older?: string;
  readonly mtime?: string;
  readonly time: FileTime;
  readonly user?: string;
  readonly group?: string;
  readonly perm?: string;
  readonly links?: string;
  readonly empty?: boolean;
  readonly exclude?: readonly string[];
  readonly minDepth?: number;
  readonly maxDepth?: number;
  readonly oneFileSystem?: boolean;
  readonly long?: boolean;
  readonly humanReadable?: boolean;
  readonly null?: boolean;
}

/** `varve find DISK[:PATH]` */
export const findCommand: CommandModule<[string], Options> = {
  examples: [
    ["varve find web:/etc --name '*.conf' --newer 7d", 'what was configured in the last week'],
    ['varve find web --type f --perm -4000 -l', 'programs that run as their owner'],
    ['varve find ./disk.qcow2 --size +100M -0 | xargs -0 -n1 echo', 'large files, for other programs'],
  ],
  completes: ['disk'],
  configure: (command: Command) => addInsideOptions(addOutputOptions(addQueryOptions(command))),
  async run(context, [argument], options) {
    const { disk, inner = '/' } = splitInnerPath(argument);
    // What cannot be read of the options is said before anything is opened.
    const problems = new Problems(context);
    const query = queryOf(options, problems);
    await using guest = await openInside(context, disk, options);
    const start = await guest.tree.resolve(inner, { followLast: inner.endsWith('/') });
    const accounts = await readAccounts(guest.tree);
    const found = findFiles(guest.tree, start, { ...query, tests: [...query.tests, ...ownerTests(options, accounts)] });
    await showFound(context, found, { ...options, accounts, problems });
    return problems.exitStatus;
  },
};

function addQueryOptions(command: Command): Command {
  const several = (pattern: string, before: readonly string[] = []) => [...before, pattern];
  return command
    .argument('<disk[:path]>', 'a disk, or a directory in it: web:/etc, ./disk.qcow2:/home')
    .option('--name <pattern>', "by its name: '*.conf'; of several patterns any", several)
    .option('--iname <pattern>', 'the same, upper and lower case alike', several)
    .option('--path <pattern>', "by its whole path: '/etc/*.conf'", several)
    .option('--type <kinds>', 'f, d, l, b, c, p, s or some of them: f,l')
    .option('--size <size>', '+10M for more than that, -4K for less, 0 for exactly')
    .option('--newer <moment>', 'changed after a date, or within the last 7d, 12h …')
    .option('--older <moment>', 'changed before a date, or longer ago than 7d, 12h …')
    .option('--mtime <days>', '-7 for less than so many days ago, +7 for more')
    .addOption(new Option('--time <which>', 'the time that is meant').choices(fileTimes).default('modified'))
    .option('--user <name>', 'whose it is, by a name in the guest or a number')
    .option('--group <name>', "by the group's name or number")
    .option('--perm <mode>', '644 for exactly these, -4000 at least these, /222 any')
    .option('--links <count>', 'how many names it has: 2, +1, -2')
    .option('--empty', 'files without content and directories without files')
    .option('--exclude <pattern>', 'leave out what is called so, with all below it', several)
    .option('--min-depth <levels>', 'only what is so many levels down', parseCount)
    .option('--max-depth <levels>', 'go so many levels down', parseCount)
    .option('-x, --one-file-system', 'leave out what is mounted below');
}

function addOutputOptions(command: Command): Command {
  return command
    .option('-l, --long', 'with modes, owners, sizes and times')
    .option('-H, --human-readable', 'with -l: sizes as 1.5 GiB')
    .option('-0, --null', 'paths as they are, bytes that end with a zero each');
}

function queryOf(options: Options, problems: Problems): FindQuery {
  const { empty, exclude = [], iname = [], maxDepth, minDepth, name = [], oneFileSystem, path, type } = options;
  const names = [
    ...name.map((pattern) => globMatcher(pattern)),
    ...iname.map((pattern) => globMatcher(pattern, { ignoreCase: true })),
  ];
  return {
    names: names.length === 0 ? undefined : names,
    paths: path?.map((pattern) => globMatcher(pattern)),
    kinds: type === undefined ? undefined : parseKinds(type),
    ...{ tests: statTests(options), isEmpty: empty, excluded: exclude.map((pattern) => globMatcher(pattern)) },
    ...{ minDepth, maxDepth, oneFileSystem, onProblem: problems.note },
  };
}

function statTests({ links, mtime, newer, older, perm, size, time }: Options): FileTest[] {
  const now = Date.now();
  const timeOf = (stat: GuestFile['stat']) => stat[time];
  return [
    ...(size === undefined ? [] : [parseSizeTest(size)]),
    ...(links === undefined ? [] : [parseLinksTest(links)]),
    ...(perm === undefined ? [] : [parsePermissionsTest(perm)]),
    ...(newer === undefined ? [] : [momentTest(parseMoment(newer, now, parseDate), timeOf, 'newer')]),
    ...(older === undefined ? [] : [momentTest(parseMoment(older, now, parseDate), timeOf, 'older')]),
    ...(mtime === undefined ? [] : [parseAgeTest(mtime, now, ({ modified }) => modified)]),
  ];
}

function ownerTests({ group, user }: Options, { groups, users }: Accounts): FileTest[] {
  const uid = user === undefined ? undefined : accountNumber(user, users, 'user');
  const gid = group === undefined ? undefined : accountNumber(group, groups, 'group');
  return [
    ...(uid === undefined ? [] : [(stat: GuestFile['stat']) => stat.uid === uid]),
    ...(gid === undefined ? [] : [(stat: GuestFile['stat']) => stat.gid === gid]),
  ];
}

interface Shown extends Options {
  readonly accounts: Accounts;
  readonly problems: Problems;
}

/** Tables of long listings are made of so many files at a time. */
const longestTable = 10_000;

async function showFound(context: CommandContext, found: AsyncIterable<FoundFile>, options: Shown): Promise<void> {
  using output = new TextOutput();
  const json = context.json ? new JsonArray(output) : undefined;
  const rows: GuestFile[] = [];
  const printRows = async () => {
    if (rows.length === 0) return;
    const listing = { ...options, timeText, paths: true };
    output.add(`${await longListing(rows.splice(0), listing)}\n`);
  };
  for await (const { entry, file } of found) {
    if (json === undefined && !options.long) {
      output.add(options.null ? Buffer.concat([bytesOf(entry.path), Buffer.of(0)]) : `${nameText(entry.path)}\n`);
      continue;
    }
    const known = file ?? (await lookAtFile(entry, options.problems.note));
    if (known === undefined) continue;
    if (json !== undefined) json.add(await fileJson(known));
    else if (rows.push(known) >= longestTable) await printRows();
  }
  await printRows();
  json?.end();
}
