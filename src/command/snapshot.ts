import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { localDiskArgument } from '../image/disk-argument.ts';
import { snapshotImage } from '../image/snapshot-image.ts';
import { referenceOf } from '../store/image-table.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addDetailsOptions, type DetailsOptions, readDetails } from './input/details.ts';
import { snapshotJson } from './output/snapshot-json.ts';

interface Options extends DetailsOptions {
  readonly tag?: string;
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
    ['git log -1 --format=%B | varve snapshot web -F -', 'with a message of several lines from a program'],
    ['varve snapshot ./disk.qcow2', 'keep what a disk file holds as disk_DATE.qcow2, and go on in an overlay of it'],
  ],
  completes: ['image or file'],
  configure: (command: Command) =>
    addDetailsOptions(command.argument('<disk>', 'the image to record, or a disk file'))
      .option('-t, --tag <name>', 'of an image: also give the snapshot this name')
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
    const snapshot = await snapshotImage(store, argument, { ...details, tag: options.tag });
    context.show(snapshotJson(snapshot), () => `${referenceOf(snapshot)} made`);
  },
};
