import type { Command } from 'commander';
import { isVarveError, VarveError } from '../base/varve-error.ts';
import type { OpenGuest } from '../changes/compared-volumes.ts';
import { type Disk, openDisk } from '../image/open-disk.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { remarkUncommitted } from './framework/uncommitted-changes.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './input/access-options.ts';
import { splitInnerPath } from './input/inner-path.ts';

interface Options extends AccessOptions {
  readonly exitCode?: boolean;
  readonly meaning?: boolean;
  readonly patch?: boolean;
  readonly ranges?: boolean;
  readonly renames?: boolean;
  readonly stat?: boolean;
  readonly times?: boolean;
}

/** What only goes with files. */
const fileOptions = ['patch', 'stat', 'times', 'meaning'] as const;

/** `varve diff A [B]`: what differs between two disks. */
export const diffCommand: CommandModule<[string, string | undefined], Options> = {
  examples: [
    ['varve diff web', 'what of web is in no snapshot'],
    ['varve diff web@3 web', 'which files changed in web since its third snapshot'],
    ['varve diff -p web@3:/etc web', 'how those in /etc did, line by line'],
    ['varve diff --meaning web@3 web', 'which packages, users, services and settings changed'],
    ['varve diff web ./web.qcow2', 'what a disk file has that the store has not'],
    ['varve diff --ranges web@3 web', 'where the bytes of two disks differ'],
    ['varve diff --exit-code web test', 'ends with status 1 when they differ'],
  ],
  completes: ['disk', 'disk'],
  configure: (command: Command) =>
    addAccessOptions(
      command
        .argument(
          '<a[:path]>',
          'web, web@3, ./disk.qcow2, /dev/sdb, nbd://…, https://…; with a file or directory in it',
        )
        .argument('[b[:path]]', 'what to compare it with; without it, the changes to an image that are in no snapshot')
        .option('-p, --patch', 'how text files changed, line by line, as git has it')
        .option('--stat', 'how large files were, and are, and how many lines changed')
        .option('--meaning', 'what it means: packages, users, services, kernels, lines of settings; and no files')
        .option('--times', 'also tell of files of which only the time of their last change differs')
        .option('--no-renames', 'tell of a file that was renamed as one that was deleted and one that was added')
        .option('--ranges', 'which bytes differ, and not which files')
        .option('--exit-code', 'end with status 1 when they differ'),
    ),
  async run(context, [argumentA, argumentB], options) {
    const { exitCode } = options;
    if (argumentB === undefined) {
      const { showUncommitted } = await import('./diff-ranges.ts');
      refuse(options, fileOptions, 'what is in no snapshot is shown as ranges; snapshot it first');
      return await showUncommitted(context, argumentA, exitCode);
    }
    const [sideA, sideB] = [splitInnerPath(argumentA), splitInnerPath(argumentB)];
    const hasPath = sideA.inner !== undefined || sideB.inner !== undefined;
    const wantsFiles = hasPath || Boolean(options.patch || options.stat || options.times || options.meaning);
    if (options.ranges && hasPath) throw new VarveError('INVALID', 'ranges are those of whole disks: give no path');
    if (options.ranges) refuse(options, fileOptions, 'ranges are not of files');
    if (hasPath) refuse(options, ['meaning'], 'it is about whole disks');
    const signal = await context.startWork();
    await using stack = new AsyncDisposableStack();
    const store = stack.use(new LazyStore(context));
    const access = { ...(await accessOptions(options)), store: store.open, signal };
    const a = stack.use(await openDisk(sideA.disk, access));
    const b = stack.use(await openDisk(sideB.disk, access));
    await remarkUncommitted(context, sideA.disk, a);
    await remarkUncommitted(context, sideB.disk, b);
    const guests = options.ranges ? undefined : await openGuests(a, b, stack, wantsFiles);
    if (guests === undefined) {
      const { showRanges } = await import('./diff-ranges.ts');
      const identical = await showRanges(context, a, b, signal);
      return exitCode && !identical ? 1 : 0;
    }
    const { showFiles } = await import('./diff-files.ts');
    const paths = hasPath && { before: (sideA.inner ?? sideB.inner)!, after: (sideB.inner ?? sideA.inner)! };
    const same = await showFiles(context, {
      ...guests,
      disks: [a, b],
      stack,
      signal,
      paths: paths || undefined,
      ...options,
    });
    return exitCode && !same ? 1 : 0;
  },
};

/** Both disks, looked into; undefined where one holds no files that are known here, and nobody asked for them. */
async function openGuests(
  a: Disk,
  b: Disk,
  stack: AsyncDisposableStack,
  wantsFiles: boolean,
): Promise<{ readonly before: OpenGuest; readonly after: OpenGuest } | undefined> {
  const { openGuest } = await import('../guest/open-guest.ts');
  const open = async ({ device, label }: Disk) => {
    return { label, guest: stack.use(await openGuest(device, { name: label })) };
  };
  try {
    return { before: await open(a), after: await open(b) };
  } catch (error) {
    if (!wantsFiles && isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) return undefined;
    throw error;
  }
}

function refuse(options: Options, names: readonly (typeof fileOptions)[number][], why: string): void {
  const given = names.find((name) => options[name]);
  if (given !== undefined) throw new VarveError('INVALID', `--${given} does not go here: ${why}`);
}
