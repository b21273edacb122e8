import { dropUncommitted, takeWriteLease } from '../store/overlay/edit-overlays.ts';
import { removeLayerFiles } from '../store/overlay/remove-layers.ts';
import type { Store } from '../store/store.ts';
import { overlayStatus } from './overlay-status.ts';
import { settleImage } from './settle-image.ts';

/**
 * Drops the changes to an image that are in no snapshot. How many bytes of the disk they touched.
 * @throws NOT_FOUND, READ_ONLY, BUSY naming who has it open
 */
export async function discardChanges(store: Store, name: string): Promise<number> {
  store.requireWritable();
  await settleImage(store, name);
  const image = store.images.get(name);
  const who = { image: image.id, owner: '' };
  const lease = takeWriteLease(store, { ...who, purpose: `discard changes to ${image.name}` });
  try {
    const { changedBytes } = await overlayStatus(store, image.id);
    removeLayerFiles(store, dropUncommitted(store, who));
    return changedBytes;
  } finally {
    store.leases.release(lease);
  }
}
