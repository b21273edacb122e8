import { openOverlay } from '../store/overlay/overlay-files.ts';
import type { Store } from '../store/store.ts';
import { type FileDisk, openDeviceDisk } from './file-disk.ts';
import { openDisk, type SnapshotDisk } from './open-disk.ts';

/** An image's disk as it is, and the snapshot that it was. */
export interface UncommittedDisk {
  readonly base: SnapshotDisk;
  readonly disk: FileDisk;
}

/**
 * Opens what an image holds beyond its newest snapshot, to be read; what is open is closed with the stack. Undefined where
 * that is nothing, or where another process writes to it, in whose memory some of it may be.
 *
 * @throws VarveError `NOT_FOUND`, `CORRUPT`, `IO`
 */
export async function openUncommitted(
  store: Store,
  name: string,
  stack: AsyncDisposableStack,
): Promise<UncommittedDisk | undefined> {
  const image = store.images.get(name);
  if (store.leases.writerOf(image.id, '') !== undefined) return undefined;
  const base = stack.use(await openDisk(name, { store }));
  const layers = store.overlays.stack(image.id);
  if (base.kind !== 'snapshot' || layers[0]?.base?.number !== base.snapshot.number) return undefined;
  let device = stack.use(await store.openSnapshot(base.snapshot));
  for (const { id } of layers) {
    device = stack.use(await openOverlay(store.path, id, { readOnly: true })).over(device);
  }
  const what = { kind: 'snapshot content', label: `${name} as it is` } as const;
  return { base, disk: await openDeviceDisk(device, what, { format: 'raw' }) };
}
