import { isVarveError } from '../../base/varve-error.ts';
import type { DamagedRange, DamageFinder } from '../damage.ts';
import type { StoreParts } from '../store-parts.ts';
import { writeRecord } from './edit-overlays.ts';
import { listOverlayFiles, openOverlay, overlayPath } from './overlay-files.ts';
import { decodeOverlayRecord, encodeOverlayRecord, overlayRecordKey } from './overlay-record.ts';
import type { Layer } from './overlay-table.ts';

/** What is wrong with an overlay, and which of what it lies on cannot be read. */
export interface OverlayProblem {
  readonly message: string;
  readonly damaged: readonly DamagedRange[];
}

/** Looks whether the files of every overlay are there and sound, and what the lowest ones lie on. */
export async function overlayProblems(parts: StoreParts, finder: DamageFinder): Promise<OverlayProblem[]> {
  const problems: OverlayProblem[] = [];
  for (const layer of parts.overlays.all()) {
    const found = await problemOf(parts, layer, finder);
    // What was dropped or stored meanwhile is no loss.
    if (found !== undefined && parts.overlays.find(layer.id) !== undefined) problems.push(found);
  }
  return problems;
}

async function problemOf(parts: StoreParts, layer: Layer, finder: DamageFinder): Promise<OverlayProblem | undefined> {
  const image = parts.catalog.get('SELECT name FROM images WHERE id = ?', layer.image)?.name;
  const path = overlayPath(parts.path, layer.id);
  if (typeof image !== 'string') return { message: `${path}: the catalog has no image for it`, damaged: [] };
  try {
    await using opened = await openOverlay(parts.path, layer.id, { readOnly: true });
    if (opened.size !== layer.size) return { message: `${path}: the catalog says otherwise of its size`, damaged: [] };
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT', 'NOT_FOUND', 'UNSUPPORTED')) throw error;
    return { message: `${error.message}; these were changes to ${image} that are in no snapshot`, damaged: [] };
  }
  const { base, size } = layer;
  const damaged = base === undefined ? [] : finder.damageOf({ image, number: base.number, root: base.root, size });
  if (damaged.length === 0) return undefined;
  return { message: `${path}: what these changes to ${image} lie on is damaged`, damaged };
}

/** Layers whose records do not say what the catalog says, by their keys, and how they are damaged, if they are. */
export function* staleOverlayRecords(
  parts: StoreParts,
): Iterable<{ readonly key: string; readonly layer: Layer; readonly damage: string | undefined }> {
  for (const layer of parts.overlays.all()) {
    const key = overlayRecordKey(layer.id);
    const found = compare(parts, key, layer);
    if (found === 'right' || parts.overlays.find(layer.id) === undefined) continue;
    yield { key, layer, damage: found === 'other' ? undefined : found };
  }
}

/** Writes such records anew; inside a transaction. */
export function mendOverlayRecords(parts: StoreParts): void {
  for (const { layer } of staleOverlayRecords(parts)) writeRecord(parts, layer);
}

/** `right`, `other`, or how it is damaged. The image's name may have changed since. */
function compare(parts: StoreParts, key: string, layer: Layer): string {
  try {
    const bytes = new Uint8Array(parts.packs.size(key));
    parts.packs.read(key, bytes, 0);
    const found = decodeOverlayRecord(bytes, key);
    const uuid = parts.catalog.get('SELECT uuid FROM images WHERE id = ?', layer.image)?.uuid;
    const expected = encodeOverlayRecord({ ...layer, image: { uuid: String(uuid), name: found.image.name } });
    return Buffer.compare(encodeOverlayRecord(found), expected) === 0 ? 'right' : 'other';
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND')) return `${key}: missing`;
    if (isVarveError(error, 'CORRUPT')) return error.message;
    throw error;
  }
}

/** The directories of overlays that the catalog does not know: what a process that died had made, or was to delete. */
export function* strayOverlays(parts: StoreParts): Iterable<{ readonly key: string; readonly size: number }> {
  for (const { name, size } of listOverlayFiles(parts.path)) {
    if (parts.overlays.find(name) === undefined) yield { key: `overlays/${name}`, size };
  }
}
