import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import type { ExtractSummary, FileExtractor } from '../guest/extract/extract-files.ts';
import { piecesOf } from '../guest/file-pieces.ts';
import { globMatcher } from '../guest/find/glob.ts';
import { type GuestEntry, type GuestFile, nameOf } from '../guest/guest-tree.ts';
import type { Guest } from '../guest/open-guest.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { splitInnerPath } from './input/inner-path.ts';
import { addInsideOptions, type InsideOptions, openInside } from './input/inside-options.ts';
import { plural } from './output/plural.ts';
import { Problems } from './output/problems.ts';
import { writeBytes } from './output/write-bytes.ts';

interface Options extends InsideOptions {
  readonly force?: boolean;
  readonly dereference: boolean;
  readonly exclude?: readonly string[];
  readonly oneFileSystem?: boolean;
}

/** `varve cp DISK:PATH… TARGET` */
export const cpCommand: CommandModule<string[], Options> = {
  examples: [
    ['varve cp web:/etc/fstab web@3:/etc/hosts .', 'files out of a disk, into this directory'],
    ['varve cp ./disk.qcow2:/home/alice ./alice', 'a directory and all below it, under another name'],
    ['varve cp web:/var/log/syslog - | less', 'to another program'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addInsideOptions(
      command
        .argument(
          '<source...>',
          'files or directories in disks, and then where to: web:/etc . or - for standard output',
        )
        .option('-f, --force', 'replace files that are there')
        .option('-P, --no-dereference', 'copy a symbolic link that is named as one')
        .option(
          '--exclude <pattern>',
          'leave out what is called so, with all below it',
          (pattern, before: string[] = []) => [...before, pattern],
        )
        .option('-x, --one-file-system', 'leave out what is mounted below'),
    ),
  async run(context, args, options) {
    const target = args.at(-1)!;
    const sources = args.slice(0, -1).map(splitSource);
    if (sources.length === 0) throw new VarveError('INVALID', `where is ${target} to be copied to? name it last`);
    if (splitInnerPath(target).inner !== undefined) {
      throw new VarveError(
        'INVALID',
        `cannot copy into a disk: mount it, or write to it in varve tx --mount, to get ${target}`,
      );
    }
    if (target === '-') return await copyToOutput(context, sources, options);
    const problems = new Problems(context);
    const summary = await copyFiles(context, { sources, target, options, problems });
    context.show({ target, ...summary }, () => `${summaryText(summary)} copied to ${target}`);
    return problems.exitStatus;
  },
};

interface Source {
  readonly argument: string;
  readonly disk: string;
  readonly inner: string;
}

function splitSource(argument: string): Source {
  const { disk, inner } = splitInnerPath(argument);
  if (inner !== undefined) return { argument, disk, inner };
  throw new VarveError('INVALID', `which file of ${disk}? write ${disk}:/etc/fstab, or ${disk}:/ for all`);
}

async function resolveSource({ tree }: Guest, { inner }: Source, { dereference }: Options): Promise<GuestFile> {
  return await tree.resolve(inner, { followLast: dereference || inner.endsWith('/') });
}

async function copyToOutput(context: CommandContext, sources: readonly Source[], options: Options): Promise<void> {
  const [source, second] = sources;
  if (second !== undefined)
    throw new VarveError('INVALID', 'only one file can be copied to standard output; see varve tar');
  await using guest = await openInside(context, source!.disk, options);
  const file = await resolveSource(guest, source!, options);
  if (file.kind !== 'file') {
    throw new VarveError(
      'INVALID',
      `${source!.argument} is a ${file.kind}, and no file; varve tar writes any as a stream`,
    );
  }
  for await (const { bytes } of piecesOf(file, { offset: 0, length: file.stat.size })) writeBytes(bytes);
}

interface Copying {
  readonly sources: readonly Source[];
  readonly target: string;
  readonly options: Options;
  readonly problems: Problems;
}

async function copyFiles(
  context: CommandContext,
  { options, problems, sources, target }: Copying,
): Promise<ExtractSummary> {
  const { FileExtractor, TargetDirectory, extractTarget } = await extraction();
  const { directory: path, name } = extractTarget(target, sources.length);
  using directory = TargetDirectory.open(path);
  const { exclude, force = false, oneFileSystem } = options;
  const excluded = exclude?.map((pattern) => globMatcher(pattern));
  const wanted = excluded && (({ path: inner }: GuestEntry) => !excluded.some((fits) => fits(nameOf(inner))));
  const summaries: ExtractSummary[] = [];
  for (const [disk, ofDisk] of Map.groupBy(sources, (source) => source.disk)) {
    await using guest = await openInside(context, disk, options);
    const extractOptions = { force, oneFileSystem, wanted, onProblem: problems.note };
    const extractor = new FileExtractor(guest.tree, directory, extractOptions);
    for (const source of ofDisk) await copySource(extractor, guest, { source, name, options });
    for (const line of extractor.leftOut.lines) context.remark(`not kept: ${line}`);
    summaries.push(extractor.summary);
  }
  return summaries.reduce(sumOf);
}

/** Loaded by whoever copies to files: the rest of the command does without. */
async function extraction() {
  const [{ FileExtractor }, { TargetDirectory }, { extractTarget }] = await Promise.all([
    import('../guest/extract/extract-files.ts'),
    import('../guest/extract/target-directory.ts'),
    import('../guest/extract/extract-target.ts'),
  ]);
  return { FileExtractor, TargetDirectory, extractTarget };
}

async function copySource(
  extractor: FileExtractor,
  guest: Guest,
  { name, options, source }: { readonly name: string | undefined; readonly options: Options; readonly source: Source },
): Promise<void> {
  const file = await resolveSource(guest, source, options);
  // Of a root, and of what ends with a dot as cp(1) has it, what is in it is meant.
  const isContent = name === undefined && (file.path === '/' || /\/\.{1,2}$/.test(source.inner));
  const ownName = nameOf(source.inner.replace(/\/+$/, ''));
  await extractor.copy(file, isContent ? undefined : (name ?? ownName));
}

function sumOf(a: ExtractSummary, b: ExtractSummary): ExtractSummary {
  const keys = Object.keys(a) as (keyof ExtractSummary)[];
  return Object.fromEntries(keys.map((key) => [key, a[key] + b[key]])) as unknown as ExtractSummary;
}

function summaryText({ dataLength, directories, files, hardLinks, others, symlinks }: ExtractSummary): string {
  const counted = [
    [files, 'file'],
    [directories, 'directory'],
    [symlinks, 'symbolic link'],
    [hardLinks, 'hard link'],
    [others, 'other'],
  ] as const;
  const parts = counted.filter(([count]) => count > 0).map(([count, noun]) => nounText(count, noun));
  return `${parts.length === 0 ? 'nothing' : parts.join(', ')} (${formatSize(dataLength)})`;
}

function nounText(count: number, noun: string): string {
  return noun === 'directory' && count !== 1 ? `${count} directories` : plural(count, noun);
}
