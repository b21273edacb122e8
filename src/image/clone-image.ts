import { type SnapshotNote, sameContentAs } from '../store/image-editor.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';

/** What a new snapshot says of itself; where there is no message, what made it says something fitting. */
export interface OptionalNote extends Omit<SnapshotNote, 'message'> {
  readonly message?: string | undefined;
}

/**
 * Makes the image `name` from the snapshot that `reference` names, at once, whatever its size and history.
 * @returns its first snapshot
 * @throws NOT_FOUND, EXISTS, INVALID, READ_ONLY
 */
export function cloneImage(store: Store, reference: string, name: string, note: OptionalNote): Snapshot {
  store.requireWritable();
  const parent = store.images.resolve(reference);
  const message = note.message ?? `Cloned from ${referenceOf(parent)}`;
  return store.edit.createImage(name, { ...note, message, parent, content: sameContentAs(parent) });
}
