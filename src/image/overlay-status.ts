import { chunkSize } from '../store/chunk.ts';
import { changedChunks } from '../store/overlay/ingest-changes.ts';
import { openOverlay, overlayLength } from '../store/overlay/overlay-files.ts';
import type { OverlayLayer } from '../store/overlay/overlay-layer.ts';
import type { Layer, PendingNote } from '../store/overlay/overlay-table.ts';
import type { Store } from '../store/store.ts';
import type { ChangedRange } from './diff-snapshots.ts';

/** What an image holds beyond its stored snapshots; sizes in bytes. */
export interface OverlayStatus {
  /** The number of the snapshot that all of it lies on. */
  readonly baseNumber: number | undefined;
  /** The disk's ranges that uncommitted changes touch, in whole chunks, and how much that is. */
  readonly changedBytes: number;
  /** What all overlays take on disk. */
  readonly storedBytes: number;
  /** Snapshots that are made, and being stored. */
  readonly pending: readonly PendingNote[];
}

/** Ranges of a disk that changes in no snapshot touch, in order and in whole chunks. */
export function uncommittedRanges(layers: readonly Layer[], opened: readonly OverlayLayer[]): ChangedRange[] {
  const last = layers.findLastIndex(({ pending }) => pending !== undefined);
  const committed = new Set(layers.slice(0, last + 1).map(({ id }) => id));
  // Files of what has been stored by now may be open still: they are below the others, and of no image any more.
  const known = new Set(layers.map(({ id }) => id));
  const states = opened.filter(({ id }) => known.has(id) && !committed.has(id)).map((layer) => layer.states);
  const size = layers.at(-1)?.size ?? 0;
  return [...changedChunks(states)].map(({ start, end }) => {
    const offset = start * chunkSize;
    return { offset, length: Math.min(end * chunkSize, size) - offset };
  });
}

/** What the layers of a stack hold, of which `opened` are the open files. */
export function statusOfStack(store: Store, layers: readonly Layer[], opened: readonly OverlayLayer[]): OverlayStatus {
  const changed = uncommittedRanges(layers, opened);
  return {
    baseNumber: layers[0]?.base?.number,
    changedBytes: changed.reduce((sum, { length }) => sum + length, 0),
    storedBytes: layers.reduce((sum, { id }) => sum + overlayLength(store.path, id), 0),
    pending: layers.flatMap(({ pending }) => (pending === undefined ? [] : [pending])),
  };
}

/** What an image that nobody has open holds beyond its stored snapshots. @throws CORRUPT, IO */
export async function overlayStatus(store: Store, imageId: number): Promise<OverlayStatus> {
  return await withLayers(store, imageId, (layers, opened) => statusOfStack(store, layers, opened));
}

/** The ranges that changes in no snapshot touch, of an image that nobody has open. @throws CORRUPT, IO */
export async function overlayChanges(store: Store, imageId: number): Promise<ChangedRange[]> {
  return await withLayers(store, imageId, uncommittedRanges);
}

async function withLayers<T>(
  store: Store,
  imageId: number,
  look: (layers: readonly Layer[], opened: readonly OverlayLayer[]) => T,
): Promise<T> {
  const layers = store.overlays.stack(imageId);
  await using stack = new AsyncDisposableStack();
  const opened: OverlayLayer[] = [];
  for (const { id } of layers) opened.push(stack.use(await openOverlay(store.path, id, { readOnly: true })));
  return look(layers, opened);
}
