import { type SnapshotNote, sameContentAs } from '../store/image-editor.ts';
import { referenceOf, type Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';

/**
 * Makes the image `name` from the snapshot that `reference` names, at once, whatever its size and history. Its first
 * snapshot has the message of `note`, or says what it was cloned from.
 * @throws NOT_FOUND, EXISTS, INVALID, READ_ONLY
 */
export function cloneImage(
  store: Store,
  reference: string,
  name: string,
  note: Omit<SnapshotNote, 'message'> & { readonly message?: string | undefined },
): Snapshot {
  store.requireWritable();
  const parent = store.images.resolve(reference);
  const message = note.message ?? `Cloned from ${referenceOf(parent)}`;
  return store.edit.createImage(name, { ...note, message, parent, content: sameContentAs(parent) });
}
