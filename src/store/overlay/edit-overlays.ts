import fs from 'node:fs';
import { randomHex } from '../../base/random.ts';
import { VarveError } from '../../base/varve-error.ts';
import { type SnapshotNote, takeNumber } from '../append-snapshot.ts';
import type { Image, Snapshot } from '../image-table.ts';
import type { StoreParts } from '../store-parts.ts';
import { createOverlayFiles } from './overlay-files.ts';
import { encodeOverlayRecord, overlayRecordKey } from './overlay-record.ts';
import type { Layer, LayerBase, PendingNote } from './overlay-table.ts';
import { busyError } from './refuse-overlays.ts';
import { dropLayers } from './remove-layers.ts';

/** Whose overlays over which image. */
export interface StackOwner {
  /** The catalog's number of the image. */
  readonly image: number;
  /** Empty for the image's own. */
  readonly owner: string;
}

/** Who comes to write. */
export interface Writer extends StackOwner {
  /** In words, for messages: `serve web`. */
  readonly purpose: string;
  /** Where it can be talked to: the path of a Unix socket. */
  readonly socket?: string | undefined;
}

/**
 * Makes this process the one that writes to a stack, in place of one that died. The lease's number.
 * @throws BUSY, naming the holder; NOT_FOUND when the image is gone
 */
export function takeWriteLease(parts: StoreParts, { image, owner, purpose, socket }: Writer): number {
  const { lease, stale } = parts.catalog.write(() => {
    const holder = parts.leases.writerOf(image, owner);
    if (holder !== undefined) throw busyError(imageOf(parts, image).name, holder);
    const stale = parts.catalog.all('SELECT socket FROM leases WHERE image = ? AND owner = ?', image, owner);
    parts.leases.reap();
    return { lease: parts.leases.take('write', purpose, { image, owner, socket }), stale };
  });
  for (const row of stale) if (typeof row.socket === 'string') fs.rmSync(row.socket, { force: true });
  return lease;
}

/** Puts an empty layer on a stack; the first one lies on the image's newest snapshot, or on `base`. */
export function pushLayer(parts: StoreParts, who: StackOwner, base?: Snapshot): Layer {
  return parts.catalog.write(() => addLayer(parts, who, base));
}

/**
 * What `pushLayer` does, inside a transaction, as are its files made: what garbage collection finds there without a row
 * belongs to nobody.
 */
export function addLayer(parts: StoreParts, { image, owner }: StackOwner, base?: Snapshot): Layer {
  const top = parts.overlays.stack(image, owner).at(-1);
  const lowest = top === undefined ? (base ?? parts.images.resolve(imageOf(parts, image).name)) : undefined;
  const layer: Layer = {
    ...{ id: randomHex(16), image, owner, position: (top?.position ?? 0) + 1, created: Date.now() },
    size: (top ?? (lowest as Snapshot)).size,
    base: lowest && baseOn(lowest),
    pending: undefined,
  };
  createOverlayFiles(parts.path, layer);
  writeRecord(parts, layer);
  parts.overlays.insert(layer);
  return layer;
}

/**
 * Makes a snapshot of all up to a layer, which nobody writes to any more and whose changes are durable: from here on it
 * is made, has its number, and only remains to be stored. One sync of the disk: somebody waits. The layer's record is
 * written by `recordLayer` afterwards.
 * @throws EXISTS for a tag that is taken, CONFLICT when the layer is gone or makes a snapshot already
 */
export function markPending(
  parts: StoreParts,
  layerId: string,
  note: SnapshotNote & { readonly tag?: string | undefined },
): PendingNote {
  return parts.catalog.write(() => {
    const layer = parts.overlays.find(layerId);
    if (layer === undefined || layer.pending !== undefined) {
      throw new VarveError('CONFLICT', `overlay ${layerId} was taken for another snapshot meanwhile`);
    }
    const { message, author, time, tag } = note;
    if (tag !== undefined) refuseTakenTag(parts, layer, tag);
    const pending = { number: takeNumber(parts, layer.image), message, author, time, tag };
    parts.overlays.setPending(layerId, pending);
    return pending;
  });
}

/** Writes down what the catalog says of a layer by now, if it is still there. */
export function recordLayer(parts: StoreParts, layerId: string): void {
  parts.catalog.write(() => {
    const layer = parts.overlays.find(layerId);
    if (layer !== undefined) writeRecord(parts, layer);
  });
}

function refuseTakenTag(parts: StoreParts, { image, owner }: StackOwner, tag: string): void {
  const isTaken = parts.catalog.get('SELECT 1 FROM tags WHERE image = ? AND name = ?', image, tag) !== undefined;
  if (!isTaken && !parts.overlays.stack(image, owner).some(({ pending }) => pending?.tag === tag)) return;
  throw new VarveError('EXISTS', `${imageOf(parts, image).name}@${tag} exists already; move it with varve tag --move`);
}

/** Lets a layer be the lowest one, on a snapshot; inside a transaction. */
export function setLowest(parts: StoreParts, layer: Layer, snapshot: Snapshot): void {
  const base = baseOn(snapshot);
  writeRecord(parts, { ...layer, base });
  parts.overlays.setBase(layer.id, base);
}

/** Forgets the changes of a stack that are in no snapshot; those above what is being stored. What was forgotten. */
export function dropUncommitted(parts: StoreParts, { image, owner }: StackOwner): readonly Layer[] {
  return parts.catalog.write(() => {
    const stack = parts.overlays.stack(image, owner);
    const end = stack.findLastIndex(({ pending }) => pending !== undefined) + 1;
    return dropLayers(parts, stack.slice(end));
  });
}

function baseOn({ root, id, number }: Snapshot): LayerBase {
  return { root, id, number };
}

/** Writes down what the catalog is about to say of a layer, inside the transaction, as with records of images. */
export function writeRecord(parts: StoreParts, layer: Layer): void {
  const { uuid, name } = imageOf(parts, layer.image);
  parts.packs.replace(overlayRecordKey(layer.id), encodeOverlayRecord({ ...layer, image: { uuid, name } }));
}

/** @throws NOT_FOUND when it was removed meanwhile */
export function imageOf(parts: StoreParts, id: number): Image {
  const name = parts.catalog.get('SELECT name FROM images WHERE id = ?', id)?.name;
  if (typeof name !== 'string') throw new VarveError('NOT_FOUND', 'the image was removed meanwhile');
  return parts.images.get(name);
}
