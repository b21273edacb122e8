import { VarveError } from '../base/varve-error.ts';
import { tagName } from '../store/image-name.ts';
import { type Image, referenceOf, type Snapshot } from '../store/image-table.ts';
import { markPending, recordLayer, takeWriteLease } from '../store/overlay/edit-overlays.ts';
import { openOverlay } from '../store/overlay/overlay-files.ts';
import { storePending } from '../store/overlay/store-pending.ts';
import type { Store } from '../store/store.ts';
import { settleImage } from './settle-image.ts';
import { completeNote, type SnapshotDetails } from './snapshot-details.ts';

/** What is said of a snapshot that `snapshotImage` makes. */
export interface SnapshotImageOptions extends SnapshotDetails {
  /** A name for it. */
  readonly tag?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Records the present state of an image as its next snapshot: with the uncommitted changes to it, if there are any.
 * @throws NOT_FOUND, EXISTS for a tag that is taken, INVALID, READ_ONLY, BUSY naming who has it open
 */
export async function snapshotImage(store: Store, name: string, options: SnapshotImageOptions = {}): Promise<Snapshot> {
  store.requireWritable();
  const tag = options.tag === undefined ? undefined : tagName(options.tag);
  await settleImage(store, name, options);
  const image = store.images.get(name);
  if (tag !== undefined) refuseTakenTag(store, name, tag);
  if (store.overlays.stack(image.id).length > 0) return await commitChanges(store, image, { ...options, tag });
  const snapshot = store.edit.repeatNewest(name, completeNote(options, ''));
  if (tag === undefined) return snapshot;
  store.edit.tag(referenceOf(snapshot), tag, { move: false });
  return store.images.resolve(referenceOf(snapshot));
}

/** Makes a snapshot of what is uncommitted, and stores it; should that be cut off, the next who comes does the rest. */
async function commitChanges(store: Store, image: Image, options: SnapshotImageOptions): Promise<Snapshot> {
  const who = { image: image.id, owner: '' };
  const lease = takeWriteLease(store, { ...who, purpose: `snapshot ${image.name}` });
  try {
    const top = store.overlays.stack(who.image).at(-1);
    if (top !== undefined) {
      // Who wrote it may have died before all of it was durable.
      await using layer = await openOverlay(store.path, top.id);
      await layer.flush();
      markPending(store, top.id, { ...completeNote(options, ''), ...(options.tag && { tag: options.tag }) });
      recordLayer(store, top.id);
    }
    for (let last: Snapshot | undefined; ; ) {
      const stored = await storePending(store, who, { signal: options.signal });
      if (stored === undefined) return store.images.resolve(referenceOf(last ?? store.images.resolve(image.name)));
      last = stored;
    }
  } finally {
    store.leases.release(lease);
  }
}

/** Before a snapshot is made, so that a tag that cannot be given leaves nothing behind. @throws EXISTS, INVALID, NOT_FOUND */
export function refuseTakenTag(store: Store, image: string, tag: string): void {
  const proper = tagName(tag);
  if (!store.images.snapshots(image).some((snapshot) => snapshot.tags.includes(proper))) return;
  throw new VarveError('EXISTS', `${image}@${proper} exists already; move it with varve tag --move`);
}
