import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { cloneImage } from '../image/clone-image.ts';
import { localDiskArgument } from '../image/disk-argument.ts';
import { type Restored, restoreSnapshot } from '../image/restore-snapshot.ts';
import type { SnapshotDetails } from '../image/snapshot-details.ts';
import { referenceOf } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addDetailsOptions, type DetailsOptions, readDetails } from './input/details.ts';
import { snapshotJson } from './output/snapshot-json.ts';

interface Options extends DetailsOptions {
  readonly to?: string;
  readonly discard?: boolean;
  readonly internal?: string;
  readonly as?: string;
  readonly force?: boolean;
}

/** `varve restore IMAGE@S [NEW]`, `varve restore FILE --to FILE` */
export const restoreCommand: CommandModule<[string, string | undefined], Options> = {
  examples: [
    ['varve restore web@3', "make web's third snapshot its newest again; those in between stay"],
    ['varve restore web@before-upgrade web-old', 'leave web alone and make a new image of that snapshot'],
    ['varve restore ./disk.qcow2 --to disk_2026-11-20.qcow2', 'go back in a disk file; what it holds now is kept'],
  ],
  completes: ['disk'],
  configure: (command: Command) =>
    addDetailsOptions(
      command
        .argument('<disk>', 'the snapshot to go back to (web@3, web@TAG), or a disk file')
        .argument('[new]', 'of a snapshot: a new image to restore into'),
    )
      .option('--to <file>', 'of a file: the earlier file to go back to')
      .option('--internal <name>', 'of a qcow2 file: go back to a snapshot inside it, with --discard')
      .option('--discard', 'of a file: lose what was written to it since')
      .option('--as <name>', 'of a file: the name under which what it holds now is kept')
      .option('--force', 'of a file: even if others build on it'),
  async run(context, [argument, name], options) {
    const details = await readDetails(options);
    const disk = localDiskArgument(argument);
    if (disk.kind === 'file') {
      const { showFileRestored, showInternalRestored } = await import('./restore-file.ts');
      const { to, discard, as, force, internal } = options;
      if (internal !== undefined) return await showInternalRestored(context, disk.path, internal, { ...options, name });
      return await showFileRestored(context, disk.path, name, { to, discard, as, force, ...details });
    }
    if ((options.to ?? options.discard ?? options.internal ?? options.as) !== undefined) {
      throw new VarveError(
        'INVALID',
        `--to, --discard, --internal and --as are for disk files; write ${argument}@NUMBER or ./${argument}`,
      );
    }
    await using store = await context.openStore();
    const { snapshot, changed } = restore(store, argument, name, details);
    context.show({ restored: changed, ...snapshotJson(snapshot) }, () =>
      changed
        ? `${referenceOf(snapshot)} restored from ${argument}`
        : `${referenceOf(snapshot)} has the content of ${argument} already; nothing to restore`,
    );
  },
};

function restore(store: Store, reference: string, name: string | undefined, details: SnapshotDetails): Restored {
  if (name === undefined) return restoreSnapshot(store, reference, details);
  const message = details.message ?? `Restored from ${reference}`;
  return { snapshot: cloneImage(store, reference, name, { ...details, message }), changed: true };
}
