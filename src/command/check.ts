import { type Command, Option } from 'commander';
import { exitStatuses } from '../base/exit-status.ts';
import { VarveError } from '../base/varve-error.ts';
import type { CheckReport } from '../format/image-format.ts';
import { checkFile, checkSnapshot, type DiskCheck } from '../image/check-disk.ts';
import { diskArgument } from '../image/disk-argument.ts';
import { openDisk } from '../image/open-disk.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { plural } from './output/plural.ts';

interface Options {
  readonly format?: string;
  readonly repair?: 'leaks' | 'all';
  readonly forceShare?: boolean;
}

const leaksOnlyStatus = 1;

const help = `
Ends with status 0 where nothing is wrong, or nothing is left after the repair,
1 where only space is lost (leaks), and 10 where content is in danger.`;

/** `varve check DISK` */
export const checkCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve check ./disk.qcow2', 'look for contradictions and lost space; changes nothing'],
    ['varve check ./disk.qcow2 --repair leaks', 'give lost space back'],
    ['varve check web@3', 'read all of a snapshot; varve verify checks the whole store'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    command
      .argument('<disk>', './disk.qcow2, web, web@3, https://…')
      .option('--format <name>', 'take a disk file for this format, whatever its content looks like')
      .addOption(
        new Option('--repair <what>', 'set right what is lost, or all that is wrong').choices(['leaks', 'all']),
      )
      .option('-U, --force-share', 'check a file even while another program writes to it')
      .addHelpText('after', help),
  async run(context, [argument], options) {
    const signal = await context.startWork();
    const disk = diskArgument(argument);
    const check =
      disk.kind === 'snapshot'
        ? await checkStoreDisk(context, argument, options, signal)
        : await checkFile(argument, { ...options, signal });
    const label = disk.kind === 'address' ? disk.address.label : argument;
    context.show({ disk: label, format: check.format, ...check.report }, () => reportText(label, check));
    return statusOf(check.report);
  },
};

async function checkStoreDisk(
  context: CommandContext,
  argument: string,
  { format, repair }: Options,
  signal: AbortSignal,
): Promise<DiskCheck> {
  if (repair !== undefined) {
    throw new VarveError('UNSUPPORTED', `cannot repair ${argument}: what is in the store is there twice or not at all`);
  }
  await using store = await context.openStore();
  await using disk = await openDisk(argument, { store, format });
  if (disk.kind !== 'snapshot') throw new TypeError(`${argument} is no snapshot`);
  return await checkSnapshot(disk, { signal });
}

function statusOf({ corruptions, leaks }: CheckReport): number {
  if (corruptions > 0) return exitStatuses.CORRUPT;
  return leaks > 0 ? leaksOnlyStatus : 0;
}

function reportText(argument: string, { report }: DiskCheck): string {
  const { corruptions, corruptionsFixed, leaks, leaksFixed, problems } = report;
  const found = corruptions + leaks + corruptionsFixed + leaksFixed;
  const further = found > problems.length && problems.length > 0 ? [`… and ${found - problems.length} more`] : [];
  const fixed = [
    ...(corruptionsFixed > 0 ? [`${plural(corruptionsFixed, 'contradiction')} settled`] : []),
    ...(leaksFixed > 0 ? [`${plural(leaksFixed, 'lost cluster')} given back`] : []),
  ];
  return [
    ...problems,
    ...further,
    ...clusterLines(report),
    `${argument}: ${[...fixed, verdict(report)].join(', ')}.`,
  ].join('\n');
}

function verdict({ corruptions, leaks }: CheckReport): string {
  if (corruptions === 0 && leaks === 0) return 'nothing is wrong';
  return [
    ...(corruptions > 0 ? [`${plural(corruptions, 'contradiction')} that can cost data`] : []),
    ...(leaks > 0 ? [`${plural(leaks, 'lost cluster')}, which take space and harm nothing`] : []),
  ].join(', ');
}

function clusterLines({ clusters }: CheckReport): string[] {
  if (clusters === undefined || clusters.total === 0) return [];
  const { allocated, compressed, fragmented, total } = clusters;
  const share = (count: number, of: number): string => `${of === 0 ? 0 : ((count / of) * 100).toFixed(1)}%`;
  return [
    `${allocated} of ${total} clusters (${share(allocated, total)}) are in the file, ${share(compressed, allocated)} of them compressed, ${share(fragmented, allocated)} out of order.`,
  ];
}
