import { VarveError } from '../base/varve-error.ts';
import { sameContentAs } from '../store/image-editor.ts';
import { parseReference } from '../store/image-name.ts';
import { referenceOf, type Snapshot, sameContent } from '../store/image-table.ts';
import { refuseOverlays } from '../store/overlay/refuse-overlays.ts';
import type { Store } from '../store/store.ts';
import { completeNote, type SnapshotDetails } from './snapshot-details.ts';

/** What became of a restore. */
export interface Restored {
  /** The image's newest snapshot, which has the content that was asked for. */
  readonly snapshot: Snapshot;
  /** False when the newest snapshot had that content already, and nothing was done. */
  readonly changed: boolean;
}

/**
 * Makes an older snapshot's content an image's newest again, as one more snapshot; those in between stay.
 * @throws NOT_FOUND, INVALID when `reference` names no particular snapshot, READ_ONLY, BUSY naming who has the image
 *   open, CONFLICT where it has uncommitted changes
 */
export function restoreSnapshot(store: Store, reference: string, details: SnapshotDetails = {}): Restored {
  store.requireWritable();
  const { image, selector } = parseReference(reference);
  if (selector.kind === 'newest') {
    throw new VarveError('INVALID', `which snapshot of ${image}? varve log ${image} lists them; write ${image}@NUMBER`);
  }
  const parent = store.images.resolve(reference);
  const newest = store.images.resolve(image);
  refuseOverlays(store, store.images.get(image));
  if (sameContent(parent, newest)) return { snapshot: newest, changed: false };
  const note = completeNote(details, `Restored from ${referenceOf(parent)}`);
  const snapshot = store.edit.addSnapshot(image, { ...note, parent, content: sameContentAs(parent) });
  return { snapshot, changed: true };
}
