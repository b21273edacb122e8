import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { type PartitionAlignment, partitionAlignments } from '../image/align/partition-alignments.ts';
import { openDisk } from '../image/open-disk.ts';
import { readPartitionTable } from '../partition/read-partition-table.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { accessOptions } from './input/access-options.ts';
import { addInsideOptions, type InsideOptions } from './input/inside-options.ts';
import { type Column, formatTable } from './output/format-table.ts';

/** The status for partitions that are aligned to less than 4 KiB, as virt-alignment-scan has it. */
const badStatus = 3;

const columns: readonly Column[] = [
  { title: 'PARTITION' },
  { title: 'START', align: 'right' },
  { title: 'ALIGNMENT', align: 'right' },
  { title: 'VERDICT' },
];

const help = `
Ends with status 3 where a partition is aligned to less than 4 KiB, and with 0
where all are well aligned.`;

/** `varve align DISK` */
export const alignCommand: CommandModule<[string], InsideOptions> = {
  examples: [
    ['varve align web', 'do partitions start where storage writes fast?'],
    ['varve align ./old.qcow2 --json', 'for a program'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addInsideOptions(
      command.argument('<disk>', 'the disk: web, web@3, ./disk.qcow2, /dev/sdb, nbd://…, https://…'),
    ).addHelpText('after', help),
  async run(context, [argument], options) {
    await using store = new LazyStore(context);
    const access = { ...(await accessOptions(options)), store: store.open, format: options.format };
    await using disk = await openDisk(argument, access);
    const table = await readPartitionTable(disk.device, { name: disk.label });
    if (table === undefined) throw new VarveError('UNSUPPORTED', `${disk.label} has no partition table`);
    for (const problem of table.problems) context.remark(`${disk.label}: ${problem}`);
    const found = partitionAlignments(table);
    context.show(found.map(alignmentJson), () => formatTable(columns, found.map(cells)));
    return found.every(({ isOk }) => isOk) ? undefined : badStatus;
  },
};

function cells({ alignment, isOk, name, offset }: PartitionAlignment): string[] {
  return [name, String(offset), alignmentText(alignment), isOk ? 'ok' : 'bad (alignment < 4K)'];
}

/** As virt-alignment-scan writes it: 512, 4K, 1024K. */
function alignmentText(alignment: number): string {
  return alignment < 1024 ? String(alignment) : `${alignment / 1024}K`;
}

function alignmentJson({ isOk, ...rest }: PartitionAlignment): object {
  return { ...rest, ok: isOk };
}
