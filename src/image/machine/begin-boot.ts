import type { BootRecord } from '../../store/machine/machine-record.ts';
import { addLayer } from '../../store/overlay/edit-overlays.ts';
import { machineOwner, type OverlayPolicy } from '../../store/overlay/machine-owner.ts';
import { dropLayers, removeLayerFiles } from '../../store/overlay/remove-layers.ts';
import type { Store } from '../../store/store.ts';
import { settleImage } from '../settle-image.ts';

/** What a machine is to boot. */
export interface BeginBoot {
  readonly mac: string;
  readonly entry: string;
  /** `web`, `web@3` */
  readonly image: string;
  readonly overlay: OverlayPolicy;
}

/** What it boots, and whether it goes on with an overlay that was kept. */
export interface BegunBoot {
  readonly boot: BootRecord;
  readonly isKept: boolean;
}

/**
 * Gives a machine the overlay for a boot, in one transaction: an empty one on the snapshot that is named, or the one that
 * it keeps over this image, which lies where it did. What its last boot was to drop is dropped, whichever image that was
 * over; kept overlays stay. The caller holds the machines.
 *
 * @throws VarveError `NOT_FOUND`, `INVALID`, `BUSY`, `NO_SPACE`, `IO`
 */
export async function beginBoot(
  store: Store,
  { mac, entry, image: reference, overlay }: BeginBoot,
): Promise<BegunBoot> {
  await settleImage(store, reference);
  const { dropped, ...begun } = store.catalog.write(() => {
    const snapshot = store.images.resolve(reference);
    const { id, name, uuid } = store.images.get(snapshot.image);
    const dropped = dropLayers(store, store.overlays.ownedBy(machineOwner({ mac, overlay: 'discard' })));
    const who = { image: id, owner: machineOwner({ mac, overlay }) };
    const [kept] = store.overlays.stack(who.image, who.owner);
    const layer = kept ?? addLayer(store, who, snapshot);
    const number = layer.base?.number ?? snapshot.number;
    const boot = { entry, image: { uuid, name }, number, size: layer.size, overlay, sinceMs: Date.now() };
    return { boot, isKept: kept !== undefined, dropped };
  });
  removeLayerFiles(store, dropped);
  return begun;
}
