import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import type { MappedExtent } from '../format/image-format.ts';
import { mapDisk } from '../image/map-disk.ts';
import { type Disk, openDisk } from '../image/open-disk.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './input/access-options.ts';
import { formatTable } from './output/format-table.ts';

interface Options extends AccessOptions {
  readonly format?: string;
  readonly all?: boolean;
}

/** `varve map DISK` */
export const mapCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve map ./disk.qcow2', 'which ranges of a disk hold data, and where in the file'],
    ['varve map ./top.qcow2 --follow --json', 'of a chain of files, for programs: the rows of qemu-img map'],
    ['varve map web@3 --all', 'of a snapshot, with the ranges that are zeros'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addAccessOptions(
      command
        .argument('<disk>', './disk.qcow2, /dev/sdb, web, web@3, nbd://…, https://…')
        .option('--format <name>', 'read a disk file in this format, whatever its content looks like')
        .option('-a, --all', 'also show the ranges that are zeros'),
    ),
  async run(context, [argument], options) {
    const signal = await context.startWork();
    await using store = new LazyStore(context);
    const { all = false, format } = options;
    await using disk = await openDisk(argument, {
      ...(await accessOptions(options)),
      store: store.open,
      format,
      signal,
    });
    const runs = await Array.fromAsync(mapDisk(disk));
    context.show(
      () => runs.map(runJson),
      () => mapTable(disk, all ? runs : runs.filter(({ kind }) => kind === 'data')),
    );
  },
};

/** The fields of `qemu-img map --output=json`. */
function runJson({ compressed, depth, hostOffset, kind, length, offset, present }: MappedExtent): object {
  const isData = kind === 'data';
  const place = hostOffset === undefined ? {} : { offset: hostOffset };
  return { start: offset, length, depth, present, zero: !isData, data: isData, compressed, ...place };
}

const columns = [
  { title: 'START', align: 'right' },
  { title: 'LENGTH', align: 'right' },
  { title: '', align: 'right' },
  { title: 'IS' },
  { title: 'AT', align: 'right' },
  { title: 'IN' },
] as const;

function mapTable(disk: Disk, runs: readonly MappedExtent[]): string {
  const rows = runs.map((run) => {
    const { depth, hostOffset, length, offset } = run;
    return [
      ...[String(offset), String(length), formatSize(length), kindText(run)],
      ...[hostOffset === undefined ? '' : String(hostOffset), placeText(disk, depth)],
    ];
  });
  return formatTable(columns, rows);
}

function kindText({ compressed, kind, present }: MappedExtent): string {
  if (kind === 'data') return compressed ? 'compressed' : 'data';
  return present ? 'zeros' : 'nothing';
}

function placeText(disk: Disk, depth: number): string {
  return disk.kind === 'snapshot' ? disk.label : (disk.chain[depth] ?? `file ${depth} down the chain`);
}
