import { type Command, Option } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { type PartitionAlignment, partitionAlignments } from '../image/align/partition-alignments.ts';
import { type Disk, openDisk } from '../image/open-disk.ts';
import type { PartitionTable } from '../partition/partition-table.ts';
import { readPartitionTable } from '../partition/read-partition-table.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { addInsideOptions, type InsideOptions, insideAccess, insideDisk } from './input/inside-options.ts';
import { addTargetOptions, type TargetOptions, targetOptions } from './input/target-options.ts';
import { type Column, formatTable } from './output/format-table.ts';

interface Options extends InsideOptions, TargetOptions {
  readonly fix?: string;
  readonly to?: string;
  readonly force?: boolean;
}

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
where all are well aligned. --fix writes a copy in which each starts at a whole
mebibyte, and tells of that; the disk itself stays as it is.`;

/** `varve align DISK` */
export const alignCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve align web', 'do partitions start where storage writes fast?'],
    ['varve align ./old.qcow2 --fix new.qcow2', 'write a copy in which they do, and which boots as the old one does'],
    ['varve align ./old.qcow2 --json', 'for a program'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addTargetOptions(
      addInsideOptions(command.argument(...insideDisk))
        .addOption(new Option('--fix <target>', 'write an aligned copy: a file, a block device, or nbd://…'))
        .option(
          '--to <format>',
          "with --fix: the format to write; by default what the target's name ends with, else raw",
        )
        .option('--force', 'with --fix: replace a file, or overwrite a block device'),
    ).addHelpText('after', help),
  async run(context, [argument], options) {
    requireFix(options);
    await using store = new LazyStore(context);
    await using disk = await openDisk(argument, await insideAccess(store, options));
    const table = await readPartitionTable(disk.device, { name: disk.label });
    if (table === undefined) throw new VarveError('UNSUPPORTED', `${disk.label} has no partition table`);
    for (const problem of table.problems) context.remark(`${disk.label}: ${problem}`);
    if (options.fix !== undefined) return await writeAligned(context, { disk, table, target: options.fix, options });
    const found = partitionAlignments(table);
    context.show(found.map(alignmentJson), () => formatTable(columns, found.map(cells)));
    return found.every(({ isOk }) => isOk) ? undefined : badStatus;
  },
};

/** @throws VarveError `INVALID` for options that are of no use by themselves */
function requireFix({ clusterSize, compress, fix, force, option, parallel, to }: Options): void {
  if (fix !== undefined) return;
  const given = Object.entries({ clusterSize, compress, force, option, parallel, to }).find(
    ([, value]) => value !== undefined,
  );
  if (given === undefined) return;
  const name = given[0].replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
  throw new VarveError('INVALID', `--${name} is of no use without --fix`);
}

interface Fix {
  readonly disk: Disk;
  readonly table: PartitionTable;
  readonly target: string;
  readonly options: Options;
}

async function writeAligned(context: CommandContext, { disk, options, table, target }: Fix): Promise<void> {
  if (target === '-') throw new VarveError('INVALID', 'cannot write an aligned copy to standard output; name a file');
  const { alignedDisk } = await import('../image/align/aligned-disk.ts');
  const { exportDisk } = await import('../image/export-disk.ts');
  const { readInOrder } = await import('../image/read-in-order.ts');
  const { device, label } = disk;
  const signal = await context.startWork();
  const aligned = await alignedDisk(device, table, label);
  const { force, to } = options;
  const written = await readInOrder(disk, async (inOrder) => {
    const copy = { kind: 'file', label, device: aligned.over(inOrder) } as const;
    return await exportDisk(copy, target, { ...targetOptions(options), format: to, force, signal });
  });
  for (const problem of aligned.problems) context.remark(`${target}: ${problem}`);
  const found = partitionAlignments(aligned.table);
  const json = { disk: label, target, ...written, partitions: found.map(alignmentJson), problems: aligned.problems };
  context.show(json, () => {
    const summary = `${label} aligned to ${target}: ${formatSize(written.size)} as ${written.format}`;
    return `${formatTable(columns, found.map(cells))}\n${summary}`;
  });
}

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
