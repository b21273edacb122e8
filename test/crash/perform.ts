import { memoryDevice } from '../../src/block/memory-device.ts';
import { collectGarbage } from '../../src/store/collect-garbage.ts';
import { sameContentAs } from '../../src/store/image-editor.ts';
import type { Snapshot } from '../../src/store/image-table.ts';
import { ingestDevice } from '../../src/store/ingest-device.ts';
import type { Store } from '../../src/store/store.ts';
import type { Operation } from './operation.ts';
import { seededDisk } from './seeded-disk.ts';

/** Does `operation` to the store, as the commands do it. */
export async function perform(store: Store, operation: Operation): Promise<void> {
  const { edit, images } = store;
  const note = { message: '', author: 'worker', time: Date.now() };
  switch (operation.kind) {
    case 'import':
      return await bringIn(store, operation.image, operation.seed, undefined);
    case 'update':
      return await bringIn(store, operation.image, operation.seed, images.resolve(operation.image));
    case 'snapshot':
      edit.repeatNewest(operation.image, note);
      return;
    case 'clone': {
      const parent = images.resolve(`${operation.image}@${operation.number}`);
      edit.createImage(operation.to, { ...note, parent, content: sameContentAs(parent) });
      return;
    }
    case 'remove snapshots':
      return edit.removeSnapshots(operation.image, operation.numbers);
    case 'remove image':
      return edit.removeImage(operation.image);
    case 'rename':
      return edit.rename(operation.image, operation.to);
    case 'tag':
      edit.tag(`${operation.image}@${operation.number}`, operation.tag, { move: true });
      return;
    case 'describe':
      edit.describe(`${operation.image}@${operation.number}`, operation.message);
      return;
    case 'collect':
      await collectGarbage(store, { waitMs: 10_000 });
  }
}

async function bringIn(store: Store, image: string, seed: number, parent: Snapshot | undefined): Promise<void> {
  await using session = store.beginIngest(`import ${image}`);
  const content = await ingestDevice(session, memoryDevice(seededDisk(seed)), {});
  const snapshot = { content, parent, message: '', author: 'worker', time: Date.now() };
  if (parent === undefined) store.edit.createImage(image, snapshot);
  else store.edit.addSnapshot(image, snapshot, parent);
}
