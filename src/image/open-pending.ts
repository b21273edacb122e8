import { isVarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { parseReference } from '../store/image-name.ts';
import { openOverlay } from '../store/overlay/overlay-files.ts';
import type { Layer } from '../store/overlay/overlay-table.ts';
import type { Store } from '../store/store.ts';

/** A snapshot that is made, and whose content is being brought in. */
export interface PendingDisk {
  /** `web@3` */
  readonly label: string;
  /** The caller's. */
  readonly device: BlockDevice;
}

/**
 * Opens the disk of a snapshot that another process is storing, from what that reads: the snapshot below and the layers of
 * changes, to which nobody writes any more. Undefined where the reference names no such snapshot, or none any more: then
 * it is stored, or to be stored here (`settleImage`).
 *
 * @throws VarveError `CORRUPT`, `IO`
 */
export async function openPendingSnapshot(store: Store, reference: string): Promise<PendingDisk | undefined> {
  const image = store.images.find(parseReference(reference).image);
  if (image === undefined || store.leases.writerOf(image.id, '') === undefined) return undefined;
  const number = store.images.pendingNumber(reference);
  const all = store.overlays.stack(image.id);
  const layers = all.slice(0, all.findIndex(({ pending }) => pending?.number === number) + 1);
  const base = store.images.snapshots(image.name).find((snapshot) => snapshot.number === layers[0]?.base?.number);
  if (number === undefined || base === undefined || layers.length === 0) return undefined;
  await using stack = new AsyncDisposableStack();
  try {
    const below = stack.use(await store.openSnapshot(base));
    const device = await withLayers(store, below, layers, stack);
    return { label: `${image.name}@${number}`, device: ownedBy(device, stack.move()) };
  } catch (error) {
    // It was stored meanwhile, and its layers are gone.
    if (isVarveError(error, 'NOT_FOUND')) return undefined;
    throw error;
  }
}

async function withLayers(
  store: Store,
  below: BlockDevice,
  layers: readonly Layer[],
  stack: AsyncDisposableStack,
): Promise<BlockDevice> {
  let device = below;
  for (const { id } of layers) {
    device = stack.use(await openOverlay(store.path, id, { readOnly: true })).over(device);
  }
  return device;
}

/** The device, as one that only reads, and whose disposal is that of all that it is made of. */
function ownedBy(device: BlockDevice, parts: AsyncDisposableStack): BlockDevice {
  const refuse = (): never => {
    throw new TypeError('a snapshot is only read');
  };
  return {
    size: device.size,
    blockSize: device.blockSize,
    supports: { write: false, trim: false, zero: false, extents: true },
    read: (target, offset) => device.read(target, offset),
    ...{ write: refuse, zero: refuse, trim: refuse, flush() {} },
    extents: (offset, length) => device.extents(offset, length),
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}
