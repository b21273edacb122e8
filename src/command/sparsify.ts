import type { Command } from 'commander';
import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { localDiskArgument } from '../image/disk-argument.ts';
import type { TrimmedDisk } from '../image/sparsify/trim-unused.ts';
import type { UnusedRanges } from '../image/sparsify/unused-ranges.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { registerPath } from './framework/register-path.ts';
import { type AccessOptions, accessOptions, addFileOptions } from './input/access-options.ts';
import { addTargetOptions, type TargetOptions, targetOptions } from './input/target-options.ts';

interface Options extends AccessOptions, TargetOptions {
  readonly inPlace?: boolean;
  readonly history?: boolean;
  readonly dryRun?: boolean;
  readonly ignore?: readonly string[];
  readonly gaps?: boolean;
  readonly format?: string;
  readonly convert?: string;
  readonly force?: boolean;
}

/** The status for a file whose file system makes no holes, as virt-sparsify has it. */
const noHolesStatus = 3;

const help = `
Exit status 3: what the disk's file is on cannot have holes; nothing was changed.`;

/** `varve sparsify DISK [TARGET]` */
export const sparsifyCommand: CommandModule<[string, string | undefined], Options> = {
  examples: [
    ['varve sparsify --in-place ./disk.qcow2', 'give back what its file systems do not use'],
    ['varve sparsify --in-place web', 'the same of an image, as its next snapshot'],
    ['varve sparsify --history web', 'every snapshot of an image; they keep all but their ids'],
    ['varve sparsify --in-place ./disk.raw --ignore /dev/sda2', 'but leave a partition as it is'],
    ['varve sparsify ./disk.raw small.qcow2 --compress', 'make a small copy, and leave the disk as it is'],
  ],
  completes: ['disk', 'file'],
  configure: (command: Command) =>
    addFileOptions(
      addTargetOptions(
        command
          .argument('<disk>', 'the disk: ./disk.qcow2, /dev/sdb, web')
          .argument('[target]', 'a new file for a copy')
          .option('--in-place', 'change the disk itself')
          .option('--history', 'rewrite every snapshot of an image, and give back what nothing needs then')
          .option('-n, --dry-run', 'with --history: only say what would be done')
          .option('--ignore <volume>', 'leave this one as it is: /dev/sda2; may be given again', collect)
          .option('--gaps', 'also give back what lies between partitions')
          .option('--format <name>', 'take the file for this format, whatever its content looks like')
          .option('--convert <format>', 'the format of the copy; by default what its name ends with')
          .option('--force', 'even if other files build on it; replace a file'),
      ),
    ).addHelpText('after', help),
  async run(context, [disk, target], options) {
    if (options.history) return await sparsifyWholeHistory(context, disk, target, options);
    if (options.dryRun) throw new VarveError('INVALID', '--dry-run goes with --history');
    if (options.inPlace) return await sparsifyInPlace(context, disk, target, options);
    if (target === undefined) throw new VarveError('INVALID', 'name a file for the copy, or give --in-place');
    return await copySparse(context, disk, target, options);
  },
};

async function sparsifyInPlace(
  context: CommandContext,
  argument: string,
  target: string | undefined,
  options: Options,
): Promise<number | undefined> {
  if (target !== undefined) throw new VarveError('INVALID', '--in-place takes one disk; leave out the target');
  const disk = localDiskArgument(argument);
  const signal = await context.startWork();
  const work = { ...workOf(context, options), signal };
  if (disk.kind === 'snapshot') {
    const { sparsifyImage } = await import('../image/sparsify/sparsify-image.ts');
    await using store = await context.openStore();
    const { snapshot, ...done } = await sparsifyImage(store, disk.reference, work);
    const { referenceOf } = await import('../store/image-table.ts');
    const reference = referenceOf(snapshot);
    show(context, { disk: argument, ...done, extra: { snapshot: reference } }, `${reference} is what is left.`);
    return undefined;
  }
  const { canGiveSpaceBack, sparsifyFile } = await import('../image/sparsify/sparsify-file.ts');
  if (!(await canGiveSpaceBack(disk.path))) {
    context.remark(`cannot sparsify ${argument}: the file system that it is on makes no holes; copy it elsewhere`);
    return noHolesStatus;
  }
  const { force, format } = options;
  const access = { ...(await accessOptions(options)), force, format, register: registerPath(context.storePath) };
  const { stored, ...done } = await sparsifyFile(disk.path, { ...work, access });
  const sizes = stored && `It took ${formatSize(stored.before)}, and takes ${formatSize(stored.after)} now.`;
  show(context, { disk: argument, ...done, extra: { stored } }, sizes ?? '');
  return undefined;
}

async function sparsifyWholeHistory(
  context: CommandContext,
  argument: string,
  target: string | undefined,
  options: Options,
): Promise<undefined> {
  if (target !== undefined) throw new VarveError('INVALID', '--history takes one image; leave out the target');
  const disk = localDiskArgument(argument);
  if (disk.kind !== 'snapshot') {
    throw new VarveError('INVALID', `${argument} is no image of the store, and has no history; give --in-place`);
  }
  const { sparsifyHistory } = await import('../image/sparsify/sparsify-history.ts');
  const { showHistory, sayOfSnapshot } = await import('./output/sparsified-history.ts');
  const signal = await context.startWork();
  await using store = await context.openStore();
  const { dryRun = false } = options;
  const { gaps, ignore } = workOf(context, options);
  const work = { gaps, ignore, dryRun, signal, onSnapshot: sayOfSnapshot(context, dryRun) };
  showHistory(context, disk.reference, dryRun, await sparsifyHistory(store, disk.reference, work));
}

async function copySparse(
  context: CommandContext,
  source: string,
  target: string,
  options: Options,
): Promise<undefined> {
  const { openDisk } = await import('../image/open-disk.ts');
  const { exportDisk } = await import('../image/export-disk.ts');
  const { unusedAsZeros } = await import('../image/sparsify/unused-as-zeros.ts');
  const signal = await context.startWork();
  await using store = new LazyStore(context);
  const diskFilters = [unusedAsZeros({ ...workOf(context, options), signal })];
  const filters = { fileFilters: [], diskFilters, report: (text: string) => context.remark(text) };
  const { convert, force, format } = options;
  const opening = { ...(await accessOptions(options)), filters, format, store: store.open, signal };
  await using disk = await openDisk(source, opening);
  const result = await exportDisk(disk, target, { ...targetOptions(options), format: convert, force, signal });
  context.show({ disk: disk.label, target, ...result }, () => `${disk.label} sparsified to ${target}`);
}

function workOf(
  context: CommandContext,
  { gaps, ignore }: Options,
): {
  readonly ignore: readonly string[] | undefined;
  readonly gaps: boolean | undefined;
  readonly onStep: (step: UnusedRanges) => void;
} {
  const volumes = ignore?.map((name) => (/^\d+$/.test(name) ? `/dev/sda${name}` : name));
  return { ignore: volumes, gaps, onStep: (step) => void (context.json || context.print(stepText(step))) };
}

function stepText(step: UnusedRanges): string {
  if (step.kind === 'free') return `Trimming ${step.volume} …`;
  if (step.kind === 'swap') return `Clearing Linux swap on ${step.volume} …`;
  if (step.kind === 'gap') return 'Trimming what lies between partitions …';
  return `Leaving ${step.volume} alone: it ${step.reason}.`;
}

interface Shown extends TrimmedDisk {
  readonly disk: string;
  readonly extra: object;
}

function show(context: CommandContext, { disk, steps, trimmedLength, extra }: Shown, last: string): void {
  const volumes = steps.map((step) => {
    const { ranges, ...rest } = { ranges: [], ...step };
    return { ...rest, length: ranges.reduce((sum, { length }) => sum + length, 0) };
  });
  context.show({ disk, trimmed: trimmedLength, volumes, ...extra }, () =>
    `Sparsify in-place operation completed with no errors.\n${last}`.trimEnd(),
  );
}

function collect(value: string, before: string[] = []): string[] {
  return [...before, value];
}
