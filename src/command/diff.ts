import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { openDisk } from '../image/open-disk.ts';
import { openGuests, orNothing } from './diff-guests.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { LazyStore } from './framework/lazy-store.ts';
import { remarkUncommitted } from './framework/uncommitted-changes.ts';
import { type AccessOptions, accessOptions, addAccessOptions } from './input/access-options.ts';
import { addDiffOptions, type DiffOptions } from './input/diff-options.ts';
import { splitInnerPath } from './input/inner-path.ts';

interface Options extends AccessOptions, DiffOptions {}

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
      addDiffOptions(
        command
          .argument(
            '<a[:path]>',
            'web, web@3, ./disk.qcow2, /dev/sdb, nbd://…, https://…; with a file or directory in it',
          )
          .argument(
            '[b[:path]]',
            'what to compare it with; without it, the changes to an image that are in no snapshot',
          ),
      ),
    ),
  async run(context, [argumentA, argumentB], options) {
    const { exitCode } = options;
    if (argumentB === undefined) return await diffUncommitted(context, argumentA, options);
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
    const guests = options.ranges
      ? undefined
      : await openGuests([a, b], { context, stack, wantsFiles, askSecret: access.askSecret });
    const { showFiles } = await import('./diff-files.ts');
    const paths = hasPath && { before: (sideA.inner ?? sideB.inner)!, after: (sideB.inner ?? sideA.inner)! };
    const shown = { ...options, disks: [a, b], stack, signal, paths: paths || undefined } as const;
    const same = guests && (await orNothing(context, wantsFiles, () => showFiles(context, { ...guests, ...shown })));
    if (same !== undefined) return exitCode && !same ? 1 : 0;
    const { showRanges } = await import('./diff-ranges.ts');
    const identical = await showRanges(context, a, b, signal);
    return exitCode && !identical ? 1 : 0;
  },
};

/** What of an image is in no snapshot: files where they can be told. */
async function diffUncommitted(context: CommandContext, name: string, options: Options): Promise<number> {
  const { showUncommitted } = await import('./diff-ranges.ts');
  if (!options.ranges) {
    const { openUncommitted } = await import('../image/open-uncommitted.ts');
    const signal = await context.startWork();
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await context.openStore());
    const { askSecret } = await accessOptions(options);
    const opened = await openUncommitted(store, name, stack);
    const wantsFiles = fileOptions.some((option) => options[option]);
    const guests = opened && (await openGuests([opened.base, opened.disk], { context, stack, wantsFiles, askSecret }));
    if (opened !== undefined && guests !== undefined) {
      const { showFiles } = await import('./diff-files.ts');
      const { overlayChanges } = await import('../image/overlay-status.ts');
      const ranges = await overlayChanges(store, store.images.get(name).id);
      const disks = [opened.base, opened.disk] as const;
      const uncommitted = { image: store.images.get(name).name, ranges };
      const shown = { ...options, ...guests, disks, uncommitted, stack, signal };
      const same = await orNothing(context, wantsFiles, () => showFiles(context, shown));
      if (same !== undefined) return options.exitCode && !same ? 1 : 0;
    }
  }
  refuse(options, fileOptions, `of ${name} there are no changes, or another process has it open; snapshot it first`);
  return await showUncommitted(context, name, options.exitCode);
}

function refuse(options: Options, names: readonly (typeof fileOptions)[number][], why: string): void {
  const given = names.find((name) => options[name]);
  if (given !== undefined) throw new VarveError('INVALID', `--${given} does not go here: ${why}`);
}
