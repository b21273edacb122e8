import { sameName } from '../store/chunk.ts';
import type { Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';

/** The snapshot with an id, of whatever image, if it is still there. Looks through all snapshots. */
export function findSnapshot(store: Store, id: Uint8Array): Snapshot | undefined {
  for (const snapshot of store.images.every()) if (sameName(snapshot.id, id)) return snapshot;
  return undefined;
}
