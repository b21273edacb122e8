import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { localDiskArgument } from '../image/disk-argument.ts';
import { settleImage } from '../image/settle-image.ts';
import { completeNote, type SnapshotDetails } from '../image/snapshot-details.ts';
import { snapshotImage } from '../image/snapshot-image.ts';
import { referenceOf } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import { askHolder } from './framework/ask-holder.ts';
import type { CommandContext } from './framework/command-context.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addDetailsOptions, type DetailsOptions, readDetails } from './input/details.ts';
import { pendingJson } from './output/pending-text.ts';
import { snapshotJson } from './output/snapshot-json.ts';

interface Options extends DetailsOptions {
  readonly tag?: string;
  readonly wait?: boolean;
  readonly as?: string;
  readonly overlay?: string;
  readonly internal?: string;
  readonly format?: string;
  readonly force?: boolean;
}

/** `varve snapshot DISK` */
export const snapshotCommand: CommandModule<[string], Options> = {
  examples: [
    ['varve snapshot web -m "Before the upgrade" --tag before-upgrade', 'record web as it is, with a name'],
    ['varve snapshot web --wait', 'of a disk that varve serve serves: the disk at one moment, stored when this ends'],
    ['git log -1 --format=%B | varve snapshot web -F -', 'with a message of several lines from a program'],
    ['varve snapshot ./disk.qcow2', 'keep what a disk file holds as disk_DATE.qcow2, and go on in an overlay of it'],
  ],
  completes: ['image or file'],
  configure: (command: Command) =>
    addDetailsOptions(command.argument('<disk>', 'the image to record, or a disk file'))
      .option('-t, --tag <name>', 'of an image: also give the snapshot this name')
      .option('--wait', 'of an image in use: return when the content is stored, not as soon as the snapshot is made')
      .option('--as <name>', 'of a file: the name that what it holds gets, instead of one with the date')
      .option('--overlay <name>', 'of a file: the name of the overlay, if it is not to be the same')
      .option('--internal <name>', 'of a qcow2 file: keep it inside the file, under this name')
      .option('--format <name>', 'of a file: its format, whatever its content looks like')
      .option('--force', 'of a file: even if others build on it'),
  async run(context, [argument], options) {
    const details = await readDetails(options);
    const disk = localDiskArgument(argument);
    if (disk.kind === 'file') {
      if (options.tag !== undefined) throw new VarveError('INVALID', '--tag is for images; --as names files');
      const { showFileSnapshot, showInternalSnapshot } = await import('./snapshot-file.ts');
      const { as, overlay, format, force, internal } = options;
      if (internal !== undefined)
        return await showInternalSnapshot(context, disk.path, internal, { as, overlay, format, ...details });
      return await showFileSnapshot(context, disk.path, { as, overlay, format, force, ...details });
    }
    if ((options.as ?? options.overlay ?? options.internal ?? options.format) !== undefined) {
      throw new VarveError(
        'INVALID',
        '--as, --overlay, --internal and --format are for disk files; --tag names snapshots of images',
      );
    }
    await using store = await context.openStore();
    const { tag, wait } = options;
    const taken = await snapshotOfHolder(context, store, argument, { ...details, tag, wait });
    if (taken && !wait) return;
    if (taken) await settleImage(store, argument, { signal: await context.startWork() });
    const snapshot = taken
      ? store.images.resolve(`${argument}@${taken}`)
      : await snapshotImage(store, argument, { ...details, tag, signal: await context.startWork() });
    context.show(snapshotJson(snapshot), () => `${referenceOf(snapshot)} made`);
  },
};

/**
 * Lets the process that has an image open make the snapshot, which it stores afterwards. Its number; undefined where
 * nobody has.
 */
async function snapshotOfHolder(
  context: CommandContext,
  store: Store,
  image: string,
  details: SnapshotDetails & { readonly tag?: string | undefined; readonly wait?: boolean | undefined },
): Promise<number | undefined> {
  const { wait, tag, ...said } = details;
  const message = { ...completeNote(said, ''), ...(tag !== undefined && { tag }) };
  const taken = await askHolder(store, image, { method: 'POST', action: '/snapshots', message });
  if (taken === undefined) return undefined;
  const number = Number(taken.number);
  if (wait) return number;
  const note = { ...message, number, tag };
  context.show(
    { ...pendingJson(image, note), size: taken.size },
    () => `${referenceOf({ image, number })} made; it is being stored`,
  );
  return number;
}
