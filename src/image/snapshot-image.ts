import { VarveError } from '../base/varve-error.ts';
import type { SnapshotNote } from '../store/image-editor.ts';
import { tagName } from '../store/image-name.ts';
import type { Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';

/**
 * Records the present state of an image as its next snapshot, with `tag` as its name where one is given.
 * @throws NOT_FOUND, EXISTS for a tag that is taken, INVALID, READ_ONLY
 */
export function snapshotImage(store: Store, image: string, note: SnapshotNote, tag?: string): Snapshot {
  store.requireWritable();
  if (tag === undefined) return store.edit.repeatNewest(image, note);
  refuseTakenTag(store, image, tag);
  const { number } = store.edit.repeatNewest(image, note);
  return store.edit.tag(`${image}@${number}`, tag, { move: false });
}

/** Before the snapshot is made, so that a tag that cannot be given leaves nothing behind. */
function refuseTakenTag(store: Store, image: string, tag: string): void {
  const proper = tagName(tag);
  if (!store.images.snapshots(image).some((snapshot) => snapshot.tags.includes(proper))) return;
  throw new VarveError('EXISTS', `${image}@${proper} exists already; move it with varve tag --move`);
}
