import { VarveError } from '../../base/varve-error.ts';
import { addLayer } from '../../store/overlay/edit-overlays.ts';
import { refuseOverlays } from '../../store/overlay/refuse-overlays.ts';
import type { Store } from '../../store/store.ts';
import { settleImage } from '../settle-image.ts';
import { newTransactionName } from './transaction-name.ts';

/**
 * Begins a transaction over the newest snapshots of images: its disks read as they are now, whatever becomes of the images,
 * and what is written to them stays its own until it is committed. It outlives this process. Its name.
 *
 * @throws VarveError `NOT_FOUND`, `INVALID` for an image that is named twice, `CONFLICT` or `BUSY` for one with changes
 *   that are in no snapshot
 */
export async function beginTransaction(
  store: Store,
  images: readonly string[],
  owner = newTransactionName(),
): Promise<string> {
  store.requireWritable();
  const twice = images.find((image, index) => images.indexOf(image) !== index);
  if (twice !== undefined) throw new VarveError('INVALID', `${twice} is named twice`);
  for (const image of images) await settleImage(store, image);
  // One moment for all of them: another transaction's changes are in all that it reads, or in none.
  store.catalog.write(() => {
    for (const name of images) {
      const image = store.images.get(name);
      refuseOverlays(store, image);
      addLayer(store, { image: image.id, owner });
    }
  });
  return owner;
}
