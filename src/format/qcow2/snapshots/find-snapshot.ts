import { VarveError } from '../../../base/varve-error.ts';
import type { SnapshotEntry } from './snapshot-table.ts';

/**
 * The snapshot with that id, else the first with that name, as QEMU finds it.
 *
 * @throws VarveError `NOT_FOUND`
 */
export function findSnapshot(entries: readonly SnapshotEntry[], idOrName: string, imageName: string): SnapshotEntry {
  const found = entries.find(({ id }) => id === idOrName) ?? entries.find(({ name }) => name === idOrName);
  if (found !== undefined) return found;
  const names = entries.slice(0, 20).map(({ name }) => JSON.stringify(name));
  const there = names.length === 0 ? 'there are none' : `there are ${names.join(', ')}`;
  throw new VarveError('NOT_FOUND', `${imageName} has no snapshot ${JSON.stringify(idOrName)}; ${there}`);
}
