import { chunkSize } from '../store/chunk.ts';
import type { Snapshot } from '../store/image-table.ts';
import type { Store } from '../store/store.ts';

/** Bytes of a disk that differ. */
export interface ChangedRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * The ranges in which the disks of two snapshots differ, in order, in whole chunks; past the end of the smaller disk
 * the other one is compared with zeros. Costs what changed, not what there is.
 */
export async function* diffSnapshots(
  store: Store,
  a: Snapshot,
  b: Snapshot,
  signal?: AbortSignal,
): AsyncIterable<ChangedRange> {
  const end = Math.max(a.size, b.size);
  for await (const { chunkIndex, chunkCount } of store.changes(a, b)) {
    signal?.throwIfAborted();
    const offset = chunkIndex * chunkSize;
    yield { offset, length: Math.min(chunkCount * chunkSize, end - offset) };
  }
}
