import { isVarveError } from '../../base/varve-error.ts';
import { IntervalSet } from '../../bytes/interval-set.ts';
import { diffSnapshots } from '../../image/diff-snapshots.ts';
import type { StatusRun } from '../../protocol/nbd/transmission-codec.ts';
import type { Snapshot } from '../../store/image-table.ts';
import type { Store } from '../../store/store.ts';
import type { StatusSource } from './nbd-export.ts';

const prefix = 'qemu:dirty-bitmap:since-';
const dirty = 1;

/**
 * Finds contexts such as `qemu:dirty-bitmap:since-3` of a snapshot: what differs from another snapshot of its image, by
 * number, tag or hash, as the bitmap that backup programs ask QEMU for. Nothing is kept for it: the difference of two
 * trees is found when it is asked for.
 */
export function changesSource(store: Store, snapshot: Snapshot): (name: string) => StatusSource | undefined {
  return (name) => {
    if (!name.startsWith(prefix)) return undefined;
    const since = resolve(store, `${snapshot.image}@${name.slice(prefix.length)}`);
    return since === undefined ? undefined : changedRuns(store, since, snapshot);
  };
}

function changedRuns(store: Store, since: Snapshot, snapshot: Snapshot): StatusSource {
  let finding: Promise<IntervalSet> | undefined;
  return async function* runs(offset, length): AsyncGenerator<StatusRun, undefined> {
    finding ??= changedRanges(store, since, snapshot);
    const changed = await finding;
    const end = offset + length;
    let position = offset;
    for (const gap of changed.gaps(offset, end)) {
      if (gap.offset > position) yield { length: gap.offset - position, flags: dirty };
      yield { length: gap.end - gap.offset, flags: 0 };
      position = gap.end;
    }
    if (position < end) yield { length: end - position, flags: dirty };
  };
}

async function changedRanges(store: Store, since: Snapshot, snapshot: Snapshot): Promise<IntervalSet> {
  const changed = new IntervalSet();
  for await (const { length, offset } of diffSnapshots(store, since, snapshot)) {
    if (offset < snapshot.size) changed.add(offset, Math.min(offset + length, snapshot.size));
  }
  return changed;
}

function resolve(store: Store, reference: string): Snapshot | undefined {
  try {
    return store.images.resolve(reference);
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND', 'INVALID')) return undefined;
    throw error;
  }
}
