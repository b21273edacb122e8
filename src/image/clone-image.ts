import { sameContentAs } from '../store/image-editor.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';
import { completeNote, type SnapshotDetails } from './snapshot-details.ts';

/**
 * Makes the image `name` from the snapshot that `reference` names, at once, whatever its size and history.
 * @returns its first snapshot
 * @throws NOT_FOUND, EXISTS, INVALID, READ_ONLY
 */
export function cloneImage(store: Store, reference: string, name: string, details: SnapshotDetails = {}): Snapshot {
  store.requireWritable();
  const parent = store.images.resolve(reference);
  const note = completeNote(details, `Cloned from ${referenceOf(parent)}`);
  return store.edit.createImage(name, { ...note, parent, content: sameContentAs(parent) });
}
