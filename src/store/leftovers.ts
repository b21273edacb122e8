import { basename } from 'node:path';
import { nameFromHex } from './chunk.ts';
import { packKey } from './chunk-table.ts';
import { temporaryPrefix } from './directory-pack-store.ts';
import { strayOverlays } from './overlay/check-overlays.ts';
import { removeOverlayFiles } from './overlay/overlay-files.ts';
import type { ObjectEntry } from './pack-store.ts';
import type { StoreParts } from './store-parts.ts';

/**
 * The objects of a store that belong to nothing, because a process died, or is still at work: packs, manifests,
 * records and overlays that the catalog does not know, and temporary files.
 */
export function* leftovers(parts: StoreParts): Iterable<ObjectEntry> {
  const { catalog, packs } = parts;
  const known = new Set(catalog.all('SELECT name FROM packs').map((row) => packKey(row.name as Uint8Array)));
  for (const entry of packs.list('packs')) if (!known.has(entry.key)) yield entry;
  for (const entry of packs.list('snapshots')) {
    const id = nameFromHex(basename(entry.key, '.json'));
    if (id === undefined || catalog.get('SELECT 1 FROM snapshots WHERE id = ?', id) === undefined) yield entry;
  }
  for (const entry of packs.list('images')) {
    const uuid = basename(entry.key, '.json');
    if (catalog.get('SELECT 1 FROM images WHERE uuid = ?', uuid) === undefined) yield entry;
  }
  yield* strayOverlays(parts);
  yield* packs.list(temporaryPrefix);
}

/**
 * Deletes leftovers, but for the `spared` keys; inside a transaction during which nobody imports, when they truly
 * belong to nobody. Their bytes.
 */
export function deleteLeftovers(parts: StoreParts, spared: ReadonlySet<string>): number {
  let bytes = 0;
  for (const { key, size } of leftovers(parts)) {
    if (spared.has(key)) continue;
    if (key.startsWith('overlays/')) removeOverlayFiles(parts.path, basename(key));
    else parts.packs.delete(key);
    bytes += size;
  }
  return bytes;
}
