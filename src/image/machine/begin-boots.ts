import { randomHex } from '../../base/random.ts';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { Image } from '../../store/image-table.ts';
import type { BootRecord } from '../../store/machine/machine-record.ts';
import { machineOwner, type OverlayPolicy } from '../../store/overlay/machine-owner.ts';
import { createOverlays } from '../../store/overlay/overlay-files.ts';
import { encodeOverlayRecord } from '../../store/overlay/overlay-record.ts';
import type { Layer } from '../../store/overlay/overlay-table.ts';
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

/** The lowest layer of what a machine is to boot, which is there already or is to be made. */
interface Plan {
  readonly begin: BeginBoot;
  readonly image: Image;
  readonly layer: Layer;
  readonly isKept: boolean;
}

/**
 * Gives machines the overlays for a boot each, all in one transaction, as a room is switched on at once: an empty one on the
 * snapshot that is named, or the one that a machine keeps over this image, which lies where it did. What the last boot was to
 * drop is dropped, whichever image that was over; kept overlays stay. The caller holds the machines, and names none twice.
 * For each, in order, what it boots, or why it does not.
 *
 * @throws VarveError `NO_SPACE`, `IO`
 */
export async function beginBoots(store: Store, begins: readonly BeginBoot[]): Promise<(BegunBoot | VarveError)[]> {
  // Until the catalog knows of them, garbage collection would take new overlays for leftovers.
  const lease = store.catalog.writeLazily(() => store.leases.take('ingest', 'netboot: begin boots'));
  try {
    const plans: (Plan | VarveError)[] = [];
    for (const begin of begins) plans.push(await orError(() => plan(store, begin)));
    const fresh = plans.filter((each) => !(each instanceof VarveError) && !each.isKept) as Plan[];
    createOverlays(
      store.path,
      fresh.map(({ image: { name, uuid }, layer }) => {
        return { header: layer, record: encodeOverlayRecord({ ...layer, image: { name, uuid } }) };
      }),
    );
    const { begun, dropped } = store.catalog.write(() => land(store, plans));
    removeLayerFiles(store, dropped);
    return begun;
  } finally {
    store.leases.release(lease);
  }
}

async function plan(store: Store, begin: BeginBoot): Promise<Plan> {
  await settleImage(store, begin.image);
  const snapshot = store.images.resolve(begin.image);
  const image = store.images.get(snapshot.image);
  const owner = machineOwner(begin);
  const [kept] = begin.overlay === 'keep' ? store.overlays.stack(image.id, owner) : [];
  const { id, number, root, size } = snapshot;
  const base = { id, number, root };
  const layer = { id: randomHex(16), image: image.id, owner, position: 1, size, created: Date.now(), base };
  return { begin, image, layer: kept ?? { ...layer, pending: undefined }, isKept: kept !== undefined };
}

/** Inside the transaction. */
function land(store: Store, plans: readonly (Plan | VarveError)[]) {
  const dropped: Layer[] = [];
  const begun = plans.map((each): BegunBoot | VarveError => {
    if (each instanceof VarveError) return each;
    const { begin, image, isKept, layer } = each;
    if (store.catalog.get('SELECT 1 FROM images WHERE id = ?', image.id) === undefined) {
      if (!isKept) dropped.push(layer);
      return new VarveError('NOT_FOUND', `${image.name} was removed meanwhile`);
    }
    const { entry, mac, overlay } = begin;
    const before = store.overlays.ownedBy(machineOwner({ mac, overlay: 'discard' }));
    dropped.push(...dropLayers(store, before));
    if (!isKept) store.overlays.insert(layer);
    const { name, uuid } = image;
    const number = layer.base?.number ?? 0;
    return { boot: { entry, image: { uuid, name }, number, size: layer.size, overlay, sinceMs: Date.now() }, isKept };
  });
  return { begun, dropped };
}

async function orError<T>(action: () => Promise<T>): Promise<T | VarveError> {
  try {
    return await action();
  } catch (error) {
    if (isVarveError(error)) return error;
    throw error;
  }
}
