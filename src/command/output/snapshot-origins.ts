import { hexOf, sameName } from '../../store/chunk.ts';
import type { Snapshot } from '../../store/image-table.ts';

/** For the snapshots of an image that were made from another one of it than the one before: from which. */
export function findOrigins(all: readonly Snapshot[]): Map<Snapshot, Snapshot> {
  const strayed = all.filter(({ parent }, index) => {
    const before = all[index - 1];
    return parent !== undefined && before !== undefined && !sameName(before.id, parent);
  });
  const byId = new Map(strayed.length === 0 ? [] : all.map((snapshot) => [hexOf(snapshot.id), snapshot]));
  const origins = new Map<Snapshot, Snapshot>();
  for (const snapshot of strayed) {
    const origin = byId.get(hexOf(snapshot.parent as Uint8Array));
    if (origin !== undefined) origins.set(snapshot, origin);
  }
  return origins;
}
