import type { Command } from 'commander';
import { cloneImage } from '../image/clone-image.ts';
import { type Restored, restoreSnapshot } from '../image/restore-snapshot.ts';
import type { SnapshotDetails } from '../image/snapshot-details.ts';
import { referenceOf } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import type { CommandModule } from './framework/command-module.ts';
import { addDetailsOptions, type DetailsOptions, readDetails } from './input/details.ts';
import { snapshotJson } from './output/snapshot-json.ts';

/** `varve restore IMAGE@S [NEW]` */
export const restoreCommand: CommandModule<[string, string | undefined], DetailsOptions> = {
  examples: [
    ['varve restore web@3', "make web's third snapshot its newest again; those in between stay"],
    ['varve restore web@before-upgrade web-old', 'leave web alone and make a new image of that snapshot'],
  ],
  completes: ['snapshot'],
  configure: (command: Command) =>
    addDetailsOptions(
      command
        .argument('<snapshot>', 'the snapshot to go back to: web@3, web@TAG')
        .argument('[new]', 'a new image to restore into'),
    ),
  async run(context, [reference, name], options) {
    const details = await readDetails(options);
    await using store = await context.openStore();
    const { snapshot, changed } = restore(store, reference, name, details);
    context.show({ restored: changed, ...snapshotJson(snapshot) }, () =>
      changed
        ? `${referenceOf(snapshot)} restored from ${reference}`
        : `${referenceOf(snapshot)} has the content of ${reference} already; nothing to restore`,
    );
  },
};

function restore(store: Store, reference: string, name: string | undefined, details: SnapshotDetails): Restored {
  if (name === undefined) return restoreSnapshot(store, reference, details);
  const message = details.message ?? `Restored from ${reference}`;
  return { snapshot: cloneImage(store, reference, name, { ...details, message }), changed: true };
}
