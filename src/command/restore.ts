import type { Command } from 'commander';
import { VarveError } from '../base/varve-error.ts';
import { cloneImage } from '../image/clone-image.ts';
import { discardChanges } from '../image/discard-changes.ts';
import { localDiskArgument } from '../image/disk-argument.ts';
import { type Restored, restoreSnapshot } from '../image/restore-snapshot.ts';
import { settleImage } from '../image/settle-image.ts';
import { completeNote, type SnapshotDetails } from '../image/snapshot-details.ts';
import { parseReference } from '../store/image-name.ts';
import { referenceOf } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import { askHolder } from './framework/ask-holder.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addDetailsOptions, type DetailsOptions, readDetails } from './input/details.ts';
import { snapshotJson } from './output/snapshot-json.ts';

interface Options extends DetailsOptions {
  readonly to?: string;
  readonly discard?: boolean;
  readonly live?: boolean;
  readonly internal?: string;
  readonly as?: string;
  readonly force?: boolean;
}

/** `varve restore IMAGE@S [NEW]`, `varve restore FILE --to FILE` */
export const restoreCommand: CommandModule<[string, string | undefined], Options> = {
  examples: [
    ['varve restore web@3', "make web's third snapshot its newest again; those in between stay"],
    ['varve restore web@before-upgrade web-old', 'leave web alone and make a new image of that snapshot'],
    ['varve restore web@3 --live', 'go back beneath a server whose guest is stopped; uncommitted changes are lost'],
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
      .option('--discard', 'lose what was written to the image or file since')
      .option('--live', 'of an image that is served and used by no client: put the snapshot beneath it')
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
    if ((options.to ?? options.internal ?? options.as) !== undefined) {
      throw new VarveError(
        'INVALID',
        `--to, --internal and --as are for disk files; write ${argument}@NUMBER or ./${argument}`,
      );
    }
    await using store = await context.openStore();
    const { live = false, discard = false } = options;
    const { snapshot, changed } = await restore(store, argument, { name, details, live, discard });
    context.show({ restored: changed, ...snapshotJson(snapshot) }, () =>
      changed
        ? `${referenceOf(snapshot)} restored from ${argument}`
        : `${referenceOf(snapshot)} has the content of ${argument} already; nothing to restore`,
    );
  },
};

interface Wanted {
  /** The new image's, if there is to be one. */
  readonly name: string | undefined;
  readonly details: SnapshotDetails;
  readonly live: boolean;
  readonly discard: boolean;
}

async function restore(store: Store, reference: string, { name, details, live, discard }: Wanted): Promise<Restored> {
  await settleImage(store, reference);
  if (name === undefined) {
    if (live) return await restoreLive(store, reference, details);
    if (discard) await discardChanges(store, parseReference(reference).image);
    return restoreSnapshot(store, reference, details);
  }
  const message = details.message ?? `Restored from ${reference}`;
  return { snapshot: cloneImage(store, reference, name, { ...details, message }), changed: true };
}

/** Lets the process that has the image open go back; where nobody has, uncommitted changes are lost all the same. */
async function restoreLive(store: Store, reference: string, details: SnapshotDetails): Promise<Restored> {
  const { image } = parseReference(reference);
  const note = completeNote(details, `Restored from ${referenceOf(store.images.resolve(reference))}`);
  const message = { reference, ...note };
  const restored = await askHolder(store, image, { method: 'POST', action: '/restore', message });
  if (restored !== undefined) {
    return { snapshot: store.images.resolve(referenceOf({ image, number: Number(restored.number) })), changed: true };
  }
  await discardChanges(store, image);
  return restoreSnapshot(store, reference, details);
}
