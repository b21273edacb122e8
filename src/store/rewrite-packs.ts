import { VarveError } from '../base/varve-error.ts';
import type { WorkOptions } from './ingest-device.ts';
import { packTargetBytes } from './ingest-session.ts';
import { readPackIndex } from './pack-index.ts';
import type { PackUse } from './pack-use.ts';
import { PackWriter } from './pack-writer.ts';
import type { ReachableMarker } from './reachable.ts';
import type { StoreParts } from './store-parts.ts';
import { hasChecksum } from './unpack-body.ts';

/** Copies the live bodies of packs to new ones, and points the catalog there. The bytes that the new packs take. */
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
      if (options.signal?.aborted)
        throw new VarveError('ABORTED', 'stopped on request', { cause: options.signal.reason });
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
  const { entries } = await readPackIndex(parts.packs, use.key);
  for (const entry of entries) {
    const row = parts.chunks.find(entry.name);
    if (row === undefined || row.packId !== use.id || marker.isDead(row.id)) continue;
    const bytes = new Uint8Array(entry.storedLength);
    await parts.packs.read(use.key, bytes, entry.offset);
    if (!hasChecksum(bytes, entry)) {
      throw new VarveError(
        'CORRUPT',
        `${use.key}: damaged at byte ${entry.offset}; run varve verify to see what it hurts`,
      );
    }
    await writer.add([{ ...entry, bytes }]);
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
