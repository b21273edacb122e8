import { isVarveError } from '../../base/varve-error.ts';
import { diffSnapshots } from '../../image/diff-snapshots.ts';
import type { Snapshot } from '../../store/image-table.ts';
import type { Store } from '../../store/store.ts';
import { dirtySource } from './dirty-source.ts';
import type { StatusSource } from './nbd-export.ts';

const prefix = 'qemu:dirty-bitmap:since-';

/**
 * Finds contexts such as `qemu:dirty-bitmap:since-3` of a snapshot: what differs from another snapshot of its image, by
 * number, tag or hash, as the bitmap that backup programs ask QEMU for. Nothing is kept for it: the difference of two
 * trees is found when it is asked for.
 */
export function changesSource(store: Store, snapshot: Snapshot): (name: string) => StatusSource | undefined {
  return (name) => {
    if (!name.startsWith(prefix)) return undefined;
    const since = resolve(store, `${snapshot.image}@${name.slice(prefix.length)}`);
    return since === undefined ? undefined : dirtySource(() => diffSnapshots(store, since, snapshot), snapshot.size);
  };
}

function resolve(store: Store, reference: string): Snapshot | undefined {
  try {
    return store.images.resolve(reference);
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND', 'INVALID')) return undefined;
    throw error;
  }
}
