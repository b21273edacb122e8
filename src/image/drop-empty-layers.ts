import type { StackOwner } from '../store/overlay/edit-overlays.ts';
import { openOverlay } from '../store/overlay/overlay-files.ts';
import { removeLayerFiles } from '../store/overlay/remove-layers.ts';
import type { Store } from '../store/store.ts';

/**
 * Forgets the uppermost layers of a stack that nobody has open, as far as they hold nothing and make no snapshot. Those of
 * transactions stay: they say which snapshot it reads.
 */
export async function dropEmptyLayers(store: Store, { image, owner }: StackOwner): Promise<void> {
  if (owner !== '') return;
  for (const layer of store.overlays.stack(image, owner).reverse()) {
    if (layer.pending !== undefined || !(await isEmpty(store, layer.id))) return;
    store.catalog.write(() => store.overlays.delete(layer.id));
    removeLayerFiles(store, [layer]);
  }
}

async function isEmpty(store: Store, id: string): Promise<boolean> {
  await using layer = await openOverlay(store.path, id, { readOnly: true });
  return layer.states.isEmpty;
}
