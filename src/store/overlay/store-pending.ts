import type { BlockDevice } from '../../block/block-device.ts';
import { appendSnapshot } from '../append-snapshot.ts';
import { chunkSize } from '../chunk.ts';
import { ContentMap } from '../content-map.ts';
import type { Snapshot } from '../image-table.ts';
import type { Content, WorkOptions } from '../ingest-device.ts';
import { IngestSession } from '../ingest-session.ts';
import { openContent } from '../open-content.ts';
import type { StoreParts } from '../store-parts.ts';
import { imageOf, type StackOwner, setLowest } from './edit-overlays.ts';
import { ingestChanges } from './ingest-changes.ts';
import { openOverlay } from './overlay-files.ts';
import type { OverlayLayer } from './overlay-layer.ts';
import type { Layer, PendingNote } from './overlay-table.ts';
import { dropLayers, removeLayerFiles } from './remove-layers.ts';

/** How a snapshot is stored. */
export interface StorePendingOptions extends WorkOptions {
  /** By which threads its chunks are packed; Node's thread pool where nothing is given. */
  readonly packing?: 'in threads' | 'here';
}

/**
 * Stores the oldest snapshot of a stack that waits for it: brings its content in from the chunks that changed, and then,
 * in one transaction, makes it a snapshot like any other, forgets its layers, and lets the one above them lie on it.
 * The caller writes to the stack, or nobody does. Undefined where none waits.
 * @throws ABORTED, NO_SPACE, CORRUPT, IO
 */
export async function storePending(
  parts: StoreParts,
  stack: StackOwner,
  options: StorePendingOptions = {},
): Promise<Snapshot | undefined> {
  const all = parts.overlays.stack(stack.image, stack.owner);
  const count = all.findIndex(({ pending }) => pending !== undefined) + 1;
  if (count === 0) return undefined;
  const layers = all.slice(0, count);
  const pending = layers.at(-1)?.pending as PendingNote;
  const { name } = imageOf(parts, stack.image);
  await using session = new IngestSession(parts, `store ${name}@${pending.number}`, options.packing);
  const content = await ingestLayers(parts, session, layers, options);
  const snapshot = parts.catalog.write(() => {
    const image = imageOf(parts, stack.image);
    const parent = layers[0]?.base?.id;
    const { number, message, author, time, tag } = pending;
    const made = appendSnapshot(parts, image, { content, parent, number, message, author, time });
    if (tag !== undefined) giveTag(parts, image.id, number, tag);
    const above = parts.overlays.stack(stack.image, stack.owner)[count];
    if (above !== undefined) setLowest(parts, above, made);
    dropLayers(parts, layers);
    return made;
  });
  removeLayerFiles(parts, layers);
  return snapshot;
}

/** Brings in what layers make of the content that the lowest lies on; they are not written to meanwhile. */
export async function ingestLayers(
  parts: StoreParts,
  session: IngestSession,
  layers: readonly Layer[],
  options: WorkOptions,
): Promise<Content> {
  const root = layers[0]?.base?.root as Uint8Array;
  await using stack = new AsyncDisposableStack();
  let device: BlockDevice = stack.use(await openContent(parts.reader, root, () => {}));
  const opened: OverlayLayer[] = [];
  for (const { id } of layers) {
    const layer = stack.use(await openOverlay(parts.path, id, { readOnly: true }));
    opened.push(layer);
    device = layer.over(device);
  }
  const base = await ContentMap.open(parts.reader, root);
  const known = parts.catalog.get('SELECT data_length FROM snapshots WHERE root = ? LIMIT 1', root)?.data_length;
  const baseDataChunks = known === undefined ? undefined : Number(known) / chunkSize;
  const states = opened.map((layer) => layer.states);
  return await ingestChanges(session, { device, base, baseDataChunks, states }, options);
}

function giveTag(parts: StoreParts, imageId: number, number: number, tag: string): void {
  parts.catalog.run('INSERT OR IGNORE INTO tags (image, name, number) VALUES (?, ?, ?)', imageId, tag, number);
  parts.edit.record(imageId);
}
