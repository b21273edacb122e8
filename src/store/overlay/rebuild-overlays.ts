import { isVarveError } from '../../base/varve-error.ts';
import { DamageFinder } from '../damage.ts';
import type { Image } from '../image-table.ts';
import type { StoreParts } from '../store-parts.ts';
import { listOverlayFiles } from './overlay-files.ts';
import { decodeOverlayRecord, isOverlayId, type OverlayRecord, overlayRecordKey } from './overlay-record.ts';
import type { Layer } from './overlay-table.ts';

/** The records of all overlays that lie in a store; those that cannot be read are told in `skipped`. */
export function readOverlayRecords(parts: StoreParts, skipped: string[]): OverlayRecord[] {
  const records: OverlayRecord[] = [];
  for (const { name } of listOverlayFiles(parts.path)) {
    if (!isOverlayId(name)) continue;
    const key = overlayRecordKey(name);
    try {
      const bytes = new Uint8Array(parts.packs.size(key));
      parts.packs.read(key, bytes, 0);
      records.push(decodeOverlayRecord(bytes, key));
    } catch (error) {
      if (!isVarveError(error)) throw error;
      skipped.push(error.message);
    }
  }
  return records;
}

/**
 * Brings the overlays of images back that are in the catalog by now; inside a transaction. A snapshot that was being
 * stored when the catalog was last written, and has its manifest, is stored: its layers are left out.
 */
export function rebuildOverlays(parts: StoreParts, records: readonly OverlayRecord[], skipped: string[]): void {
  const stacks = Map.groupBy(records, ({ image, owner }) => `${image.uuid} ${owner}`);
  for (const stack of stacks.values()) {
    const [{ image: recorded }] = stack as [OverlayRecord];
    const name = parts.catalog.get('SELECT name FROM images WHERE uuid = ?', recorded.uuid)?.name;
    if (typeof name === 'string') addStack(parts, parts.images.get(name), stack, skipped);
    else skipped.push(`overlays of ${recorded.name}: there is no such image`);
  }
}

function addStack(parts: StoreParts, image: Image, stack: readonly OverlayRecord[], skipped: string[]): void {
  const ordered = stack.toSorted((a, b) => a.position - b.position);
  const stored = ordered.findLastIndex(
    ({ pending }) => pending !== undefined && isStored(parts, image, pending.number),
  );
  // Each that has a base was once the lowest: what is below such a one was stored before.
  const lowest = ordered.findLastIndex(({ base }) => base !== undefined);
  const first = Math.max(stored + 1, lowest);
  const layers = ordered.slice(first).map((record) => ({ ...record, image: image.id }));
  const [bottom, ...rest] = layers;
  if (bottom === undefined) return;
  const base = bottom.base ?? baseOf(parts, image, ordered[first - 1]?.pending?.number);
  if (
    base === undefined ||
    new DamageFinder(parts, new Set()).damageOf({ ...base, ...sized(image, bottom) }).length > 0
  ) {
    skipped.push(`uncommitted changes to ${image.name}: what they lie on is not in the store`);
    return;
  }
  for (const layer of [{ ...bottom, base }, ...rest]) {
    parts.overlays.insert(layer);
    if (layer.savepoint !== undefined) parts.overlays.setSavepoint(layer.id, layer.savepoint);
    if (layer.pending === undefined) continue;
    parts.overlays.setPending(layer.id, layer.pending);
    raiseNextNumber(parts, image.id, layer.pending.number);
  }
}

function sized(image: Image, { size }: Layer): { image: string; size: number } {
  return { image: image.name, size };
}

function isStored({ catalog }: StoreParts, image: Image, number: number): boolean {
  return catalog.get('SELECT 1 FROM snapshots WHERE image = ? AND number = ?', image.id, number) !== undefined;
}

function baseOf({ catalog }: StoreParts, image: Image, number: number | undefined): Layer['base'] {
  if (number === undefined) return undefined;
  const row = catalog.get('SELECT id, root FROM snapshots WHERE image = ? AND number = ?', image.id, number);
  return row === undefined ? undefined : { id: row.id as Uint8Array, root: row.root as Uint8Array, number };
}

function raiseNextNumber({ catalog }: StoreParts, imageId: number, number: number): void {
  catalog.run('UPDATE images SET next_number = max(next_number, ?) WHERE id = ?', number + 1, imageId);
}
