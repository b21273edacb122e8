import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { type GuestFile, type GuestTree, textOf } from '../guest/guest-tree.ts';
import { printable } from '../log/printable.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './input/access-options.ts';
import { splitInnerPath } from './input/inner-path.ts';
import { modeText, sizeText, timeJson, timeText } from './output/file-text.ts';
import { type Column, formatTable } from './output/format-table.ts';

interface Options extends AccessOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
  readonly humanReadable?: boolean;
  readonly format?: string;
}

/** Further directories are left out: nobody reads so much. */
const mostFiles = 10_000_000;

/** `varve ls DISK[:PATH]` */
export const lsCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve ls web:/etc', 'the files in a directory of a disk, without booting or mounting it'],
    ['varve ls -l ./disk.qcow2:/boot', 'with modes, owners, sizes and times'],
    ['varve ls -R web@3 --json', 'all files of a disk, for a program'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addAccessOptions(
      command
        .argument('<disk[:path]>', 'a disk, or a file or directory in it: web:/etc, ./disk.qcow2:/boot')
        .option('-l, --long', 'with modes, owners, sizes and times')
        .option('-R, --recursive', 'and everything below')
        .option('-H, --human-readable', 'with -l: sizes as 1.5 GiB')
        .option('--format <name>', 'take a disk file for this format, whatever its content looks like'),
    ),
  async run(context, [argument], options) {
    const { disk, inner = '/' } = splitInnerPath(argument);
    const { openDiskGuest } = await import('../guest/open-disk-guest.ts');
    await using store = new LazyStore(context);
    const access = { ...(await accessOptions(options)), store: store.open, format: options.format };
    await using guest = await openDiskGuest(disk, access);
    const file = await guest.tree.resolve(inner, { followLast: !options.long || inner.endsWith('/') });
    await showFiles(context, guest.tree, file, options);
  },
};

async function showFiles(context: CommandContext, tree: GuestTree, file: GuestFile, options: Options): Promise<void> {
  const shown: object[] = [];
  let count = 0;
  for await (const { directory, files } of listings(tree, file, options.recursive ?? false)) {
    count += files.length;
    if (count > mostFiles) throw new VarveError('UNSUPPORTED', `there are more than ${mostFiles} files`);
    if (context.json) for (const each of files) shown.push(await fileJson(each));
    else context.print(await listingText(directory, files, options));
  }
  if (context.json) context.show(shown, () => '');
}

interface Listing {
  /** Undefined for a file that is no directory. */
  readonly directory: string | undefined;
  readonly files: readonly GuestFile[];
}

async function* listings(tree: GuestTree, first: GuestFile, isRecursive: boolean): AsyncGenerator<Listing> {
  if (first.stat.kind !== 'directory') {
    yield { directory: undefined, files: [first] };
    return;
  }
  const pending = [first];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const files = await tree.list(next);
    yield { directory: next.path, files };
    if (isRecursive) pending.push(...files.filter(({ stat }) => stat.kind === 'directory').reverse());
  }
}

const columns: readonly Column[] = [
  { title: 'MODE' },
  { title: 'LINKS', align: 'right' },
  { title: 'UID', align: 'right' },
  { title: 'GID', align: 'right' },
  { title: 'SIZE', align: 'right' },
  { title: 'MODIFIED' },
  { title: 'NAME' },
];

async function listingText(
  directory: string | undefined,
  files: readonly GuestFile[],
  options: Options,
): Promise<string> {
  const heading = options.recursive && directory !== undefined ? `${printable(directory)}:\n` : '';
  const rest = options.recursive ? '\n' : '';
  if (!options.long) return heading + files.map((file) => printable(nameOf(file))).join('\n') + rest;
  const rows = await Promise.all(files.map((file) => rowOf(file, options)));
  return heading + formatTable(columns, rows) + rest;
}

async function rowOf(file: GuestFile, { humanReadable = false }: Options): Promise<string[]> {
  const { stat } = file;
  const size = humanReadable && stat.device === undefined ? formatSize(stat.size) : sizeText(stat);
  const target = stat.kind === 'symlink' ? ` -> ${await targetOf(file)}` : '';
  const owner = [String(stat.links), String(stat.uid), String(stat.gid)];
  return [modeText(stat), ...owner, size, timeText(stat.modified), `${nameOf(file)}${target}`];
}

async function fileJson(file: GuestFile): Promise<object> {
  const { accessed, changed, created, device, ...stat } = file.stat;
  return {
    ...{ path: file.path, ...stat, mode: stat.mode.toString(8).padStart(4, '0') },
    ...{ modified: timeJson(stat.modified), accessed: timeJson(accessed), changed: timeJson(changed) },
    ...{ created: timeJson(created), device, target: stat.kind === 'symlink' ? await targetOf(file) : undefined },
  };
}

async function targetOf({ fileSystem, node }: GuestFile): Promise<string> {
  return textOf(await fileSystem.readLink(node));
}

function nameOf({ path }: GuestFile): string {
  return path === '/' ? path : path.slice(path.lastIndexOf('/') + 1);
}
