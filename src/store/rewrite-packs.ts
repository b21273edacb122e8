import { isVarveError } from '../base/varve-error.ts';
import type { WorkOptions } from './ingest-device.ts';
import { packTargetBytes } from './ingest-session.ts';
import type { PackEntry } from './pack-format.ts';
import { readPackIndex } from './pack-index.ts';
import type { PackUse } from './pack-use.ts';
import { PackWriter } from './pack-writer.ts';
import type { ReachableMarker } from './reachable.ts';
import type { StoreParts } from './store-parts.ts';
import { throwIfAborted } from './throw-if-aborted.ts';
import { hasChecksum } from './unpack-body.ts';

/**
 * Copies the live bodies of packs to new ones, and points the catalog there. The bytes that the new packs take.
 * Damaged bodies are left alone: `verifyStore` finds them, and they must not keep the rest from being collected.
 */
export async function rewritePacks(
  parts: StoreParts,
  marker: ReachableMarker,
  uses: readonly PackUse[],
  options: WorkOptions,
): Promise<number> {
  let addedBytes = 0;
  let writer = new PackWriter(parts.packs);
  try {
    for (const use of uses) {
      throwIfAborted(options.signal);
      await copyLive(parts, marker, use, writer);
      if (writer.size < packTargetBytes) continue;
      addedBytes += await register(parts, writer);
      writer = new PackWriter(parts.packs);
    }
    if (!writer.isEmpty) addedBytes += await register(parts, writer);
  } finally {
    await writer[Symbol.asyncDispose]();
  }
  return addedBytes;
}

async function copyLive(parts: StoreParts, marker: ReachableMarker, use: PackUse, writer: PackWriter): Promise<void> {
  for (const entry of await entriesOf(parts, use)) {
    const place = parts.chunks.placeOf(entry.name);
    if (place === undefined || place.packId !== use.id || marker.isDead(place.id)) continue;
    const bytes = new Uint8Array(entry.storedLength);
    await parts.packs.read(use.key, bytes, entry.offset);
    // What is damaged stays where it is, and its pack with it.
    if (hasChecksum(bytes, entry)) await writer.add([{ ...entry, bytes }]);
  }
}

/** The entries of a pack; none of one that is damaged or missing, from which nothing can be copied. */
async function entriesOf(parts: StoreParts, use: PackUse): Promise<readonly PackEntry[]> {
  try {
    return (await readPackIndex(parts.packs, use.key)).entries;
  } catch (error) {
    if (isVarveError(error, 'CORRUPT', 'NOT_FOUND')) return [];
    throw error;
  }
}

async function register(parts: StoreParts, writer: PackWriter): Promise<number> {
  const pack = await writer.finish();
  parts.catalog.write(() => {
    const id = parts.chunks.addPack(pack.name, pack.size, []);
    parts.chunks.moveTo(id, pack.entries);
  });
  return pack.size;
}
