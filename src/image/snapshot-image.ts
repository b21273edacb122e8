import { VarveError } from '../base/varve-error.ts';
import { tagName } from '../store/image-name.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import { completeNote, type SnapshotDetails } from './snapshot-details.ts';

/** What is said of a snapshot that `snapshotImage` makes. */
export interface SnapshotImageOptions extends SnapshotDetails {
  /** A name for it. */
  readonly tag?: string | undefined;
}

/**
 * Records the present state of an image as its next snapshot.
 * @throws NOT_FOUND, EXISTS for a tag that is taken, INVALID, READ_ONLY
 */
export function snapshotImage(store: Store, image: string, options: SnapshotImageOptions = {}): Snapshot {
  store.requireWritable();
  const { tag } = options;
  if (tag !== undefined) refuseTakenTag(store, image, tag);
  const snapshot = store.edit.repeatNewest(image, completeNote(options, ''));
  if (tag === undefined) return snapshot;
  store.edit.tag(referenceOf(snapshot), tag, { move: false });
  return store.images.resolve(referenceOf(snapshot));
}

/** Before a snapshot is made, so that a tag that cannot be given leaves nothing behind. @throws EXISTS, INVALID, NOT_FOUND */
export function refuseTakenTag(store: Store, image: string, tag: string): void {
  const proper = tagName(tag);
  if (!store.images.snapshots(image).some((snapshot) => snapshot.tags.includes(proper))) return;
  throw new VarveError('EXISTS', `${image}@${proper} exists already; move it with varve tag --move`);
}
