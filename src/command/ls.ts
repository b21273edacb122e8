import { type Command, Option } from 'commander';
import { isVarveError } from '../base/varve-error.ts';
import { type GuestEntry, type GuestFile, nameOf } from '../guest/guest-tree.ts';
import { type HashName, hashNames } from '../guest/hash-names.ts';
import { lookAtFiles } from '../guest/look-at-files.ts';
import type { Guest } from '../guest/open-guest.ts';
import { type DirectoryStep, walkDirectories } from '../guest/walk-guest.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { splitInnerPath } from './input/inner-path.ts';
import { addInsideOptions, type InsideOptions, openInside } from './input/inside-options.ts';
import { csvHeading, csvLine } from './output/file-csv.ts';
import { fileJson } from './output/file-json.ts';
import { type FileTime, fileTimes, timeShower, timeStyles } from './output/file-text.ts';
import { JsonArray } from './output/json-array.ts';
import { longListing } from './output/long-listing.ts';
import { nameText } from './output/name-text.ts';
import { Problems } from './output/problems.ts';
import { TextOutput } from './output/text-output.ts';

interface Options extends InsideOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly directory?: boolean;
  readonly humanReadable?: boolean;
  readonly numericIds?: boolean;
  readonly inode?: boolean;
  readonly sort: 'name' | 'size' | 'time';
  readonly reverse?: boolean;
  readonly time: FileTime;
  readonly timeStyle: (typeof timeStyles)[number];
  readonly checksum?: HashName;
  readonly csv?: boolean;
}

/** `varve ls DISK[:PATH]` */
export const lsCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve ls web:/etc', 'the files in a directory of a disk, without booting or mounting it'],
    ['varve ls -l ./disk.qcow2:/boot', 'with modes, owners, sizes and times'],
    ['varve ls -R web@3 --checksum sha256 --csv', 'all files, for a spreadsheet'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addInsideOptions(
      command
        .argument('<disk[:path]>', 'a disk, or a file or directory in it: web:/etc, ./disk.qcow2:/boot')
        .option('-l, --long', 'with modes, owners, sizes and times')
        .option('-R, --recursive', 'and everything below')
        .option('-d, --directory', 'a directory itself, and not what it holds')
        .option('-H, --human-readable', 'with -l: sizes as 1.5 GiB')
        .option('-n, --numeric-ids', 'with -l: owners as numbers')
        .option('-i, --inode', 'with -l: the numbers of inodes')
        .addOption(new Option('--sort <by>', 'in which order').choices(['name', 'size', 'time']).default('name'))
        .option('-r, --reverse', 'in the reverse order')
        .addOption(
          new Option('--time <which>', 'the time to show and to sort by').choices(fileTimes).default('modified'),
        )
        .addOption(new Option('--time-style <style>', 'how times are shown').choices(timeStyles).default('iso'))
        .addOption(new Option('--checksum <algorithm>', "with each file's checksum").choices(hashNames))
        .option('--csv', 'all that is known, as comma-separated values'),
    ),
  async run(context, [argument], options) {
    const { disk, inner = '/' } = splitInnerPath(argument);
    await using guest = await openInside(context, disk, options);
    const isShort = !options.long && !options.directory;
    const file = await guest.tree.resolve(inner, { followLast: isShort || inner.endsWith('/') });
    const problems = new Problems(context);
    await showFiles(context, guest, file, { ...options, problems });
    return problems.exitStatus;
  },
};

interface Listing extends Options {
  readonly problems: Problems;
}

async function showFiles(context: CommandContext, guest: Guest, file: GuestFile, options: Listing): Promise<void> {
  using output = new TextOutput();
  const json = context.json ? new JsonArray(output) : undefined;
  const text = json === undefined && !options.csv ? await listingText(guest, options) : undefined;
  if (options.csv && json === undefined) output.add(`${csvHeading}\n`);
  for await (const step of steps(guest, file, options)) {
    if (text !== undefined) {
      output.add(await text(step));
      continue;
    }
    for (const each of await inOrder(step.entries, options)) {
      const checksum = await checksumOf(each, options);
      if (json === undefined) output.add(`${await csvLine(each, checksum)}\n`);
      else json.add({ ...(await fileJson(each)), checksum });
    }
  }
  json?.end();
}

/** The directories to be listed; of a file, or a directory that is meant itself, only that. */
async function* steps(
  { tree }: Guest,
  file: GuestFile,
  { directory, problems, recursive }: Listing,
): AsyncGenerator<DirectoryStep> {
  if (file.kind !== 'directory' || directory) yield { directory: file, entries: [file] };
  else if (recursive) yield* walkDirectories(tree, file, { onProblem: problems.note });
  else yield { directory: file, entries: await tree.entries(file) };
}

/** What makes the text of a directory, or of one file. */
async function listingText(guest: Guest, options: Listing): Promise<(step: DirectoryStep) => Promise<string>> {
  const { checksum, recursive, timeStyle } = options;
  const withNames = options.long && !options.numericIds;
  const { readAccounts } = await import('../guest/accounts.ts');
  const listing = {
    ...options,
    accounts: withNames ? await readAccounts(guest.tree) : undefined,
    timeText: timeShower(timeStyle, Date.now()),
    checksum: checksum && ((file: GuestFile) => checksumOf(file, options)),
  };
  let isFirst = true;
  return async ({ directory, entries }) => {
    const heading = recursive ? `${isFirst ? '' : '\n'}${nameText(directory.path)}:\n` : '';
    isFirst = false;
    if (options.long) return `${heading}${await longListing(await inOrder(entries, options), listing)}\n`;
    const lines = (await named(entries, options)).map((line) => `${line}\n`);
    return heading + lines.join('');
  };
}

async function named(entries: readonly GuestEntry[], options: Listing): Promise<string[]> {
  if (options.sort === 'name' && options.checksum === undefined) {
    const names = entries.map(({ path }) => nameText(nameOf(path)));
    return options.reverse ? names.reverse() : names;
  }
  const lines: string[] = [];
  for (const file of await inOrder(entries, options)) {
    const checksum = options.checksum && ((await checksumOf(file, options)) ?? '-');
    lines.push(`${checksum === undefined ? '' : `${checksum}  `}${nameText(nameOf(file.path))}`);
  }
  return lines;
}

async function inOrder(
  entries: readonly GuestEntry[],
  { problems, reverse, sort, time }: Listing,
): Promise<GuestFile[]> {
  const files = await lookAtFiles(entries, problems.note);
  if (sort === 'size') files.sort((a, b) => b.stat.size - a.stat.size);
  if (sort === 'time') files.sort((a, b) => compareTimes(b.stat[time], a.stat[time]));
  return reverse ? files.reverse() : files;
}

function compareTimes(a: GuestFile['stat'][FileTime], b: GuestFile['stat'][FileTime]): number {
  const seconds = (a?.seconds ?? Number.NEGATIVE_INFINITY) - (b?.seconds ?? Number.NEGATIVE_INFINITY);
  return seconds || (a?.nanoseconds ?? 0) - (b?.nanoseconds ?? 0) || 0;
}

async function checksumOf(file: GuestFile, { checksum, problems }: Listing): Promise<string | undefined> {
  if (checksum === undefined) return undefined;
  try {
    const { hashFile } = await import('../guest/hash-file.ts');
    return await hashFile(file, checksum);
  } catch (error) {
    if (!isVarveError(error)) throw error;
    problems.note(error);
    return undefined;
  }
}
