import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { isVarveError } from '../base/varve-error.ts';
import type { UsedVolume } from '../guest/list-volumes.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { addInsideOptions, type InsideOptions, insideAccess } from './input/inside-options.ts';
import { csvField } from './output/csv-field.ts';
import { type Column, formatTable } from './output/format-table.ts';
import { naturalOrder } from './output/natural-order.ts';
import { Problems } from './output/problems.ts';

interface Options extends InsideOptions {
  readonly bytes?: boolean;
  readonly inodes?: boolean;
  readonly csv?: boolean;
}

/** `varve df [DISK…]` */
export const dfCommand: CommandModule<string[], Options> = {
  examples: [
    ['varve df', 'how full the file systems in all images of the store are'],
    ['varve df web ./disk.qcow2', 'those of some disks'],
    ['varve df -i web', 'how many more files there may be'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addInsideOptions(
      command
        .argument('[disks...]', 'disks: web, web@3, ./disk.qcow2; all images of the store where none is named')
        .option('-b, --bytes', 'sizes to the byte')
        .option('-i, --inodes', 'files, in place of bytes')
        .option('--csv', 'as comma-separated values, to the byte'),
    ),
  async run(context, args, options) {
    const problems = new Problems(context);
    await using store = new LazyStore(context);
    const disks = args.length > 0 ? args : await imageNames(store);
    const rows: UsageRow[] = [];
    for (const disk of disks) rows.push(...(await rowsOf(disk, store, options, problems)));
    if (options.csv && !context.json) context.print([csvHeading, ...rows.map(csvLine)].join('\n'));
    else context.show(rows.map(rowJson), () => tableText(rows, options));
    if (disks.length === 0) context.remark(`the store ${context.storePath} holds no images; name a disk`);
    return problems.exitStatus;
  },
};

/** A file system, and how full it is; in bytes, as statfs(2) counts them. */
interface UsageRow {
  readonly disk: string;
  readonly volume: string;
  readonly type: string;
  readonly size: number;
  readonly used: number;
  readonly available: number;
  readonly inodes: { readonly count: number; readonly free: number } | undefined;
  readonly directory: string | undefined;
}

async function imageNames(store: LazyStore): Promise<string[]> {
  try {
    const { catalog, images } = await store.open();
    return catalog.read(() => images.all().map(({ name }) => name)).sort(naturalOrder);
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND')) return [];
    throw error;
  }
}

async function rowsOf(disk: string, store: LazyStore, options: Options, problems: Problems): Promise<UsageRow[]> {
  const { listDiskVolumes } = await import('../guest/list-disk-volumes.ts');
  const access = await insideAccess(store, options);
  try {
    const volumes = await listDiskVolumes(disk, { ...access, opensVolumes: options.keyFile !== undefined });
    for (const { holds, problem } of volumes) if (problem !== undefined && holds === 'files') problems.note(problem);
    return volumes.flatMap((volume) => rowOf(disk, volume));
  } catch (error) {
    if (!isVarveError(error)) throw error;
    problems.note(error);
    return [];
  }
}

function rowOf(disk: string, { directory, identity, name, usage }: UsedVolume): UsageRow[] {
  if (usage === undefined) return [];
  const { free, inodes, overhead = 0, reserved = 0, size } = usage;
  const sizes = { size: size - overhead, used: size - overhead - free, available: Math.max(0, free - reserved) };
  return [{ disk, volume: name, type: identity?.type ?? '', ...sizes, inodes, directory }];
}

const right = (title: string): Column => ({ title, align: 'right' });

function tableText(rows: readonly UsageRow[], { bytes, inodes: ofInodes }: Options): string {
  if (rows.length === 0) return '';
  const counts = ofInodes ? ['INODES', 'USED', 'FREE'] : ['SIZE', 'USED', 'AVAILABLE'];
  const columns = [
    { title: 'DISK' },
    { title: 'VOLUME' },
    { title: 'TYPE' },
    ...[...counts, 'USE'].map(right),
    { title: 'MOUNTED ON' },
  ];
  const sizeText = bytes ? String : formatSize;
  const cells = ({ available, directory = '', disk, inodes, size, type, used, volume }: UsageRow): string[] => {
    const numbers = ofInodes
      ? inodeCells(inodes)
      : [sizeText(size), sizeText(used), sizeText(available), partText(used, available)];
    return [disk, volume, type, ...numbers, directory];
  };
  return formatTable(columns, rows.map(cells));
}

function inodeCells(inodes: UsageRow['inodes']): string[] {
  if (inodes === undefined) return ['-', '-', '-', '-'];
  const { count, free } = inodes;
  return [String(count), String(count - free), String(free), partText(count - free, free)];
}

/** Which part is in use of what may be used, rounded up as df(1) does. */
function partText(used: number, available: number): string {
  return used + available === 0 ? '-' : `${Math.ceil((used / (used + available)) * 100)}%`;
}

const csvHeading = 'disk,volume,type,size,used,available,inodes,freeInodes,mountedOn';

function csvLine({ available, directory = '', disk, inodes, size, type, used, volume }: UsageRow): string {
  const numbers = [size, used, available, inodes?.count ?? '', inodes?.free ?? ''];
  return [disk, volume, type, ...numbers, directory].map((field) => csvField(String(field))).join(',');
}

function rowJson({ directory, ...row }: UsageRow): object {
  return { ...row, mountedOn: directory };
}
