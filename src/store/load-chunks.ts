import { isVarveError } from '../base/varve-error.ts';
import { chunkSize, sameName } from './chunk.ts';
import type { ChunkLocation } from './chunk-table.ts';
import { nameOf } from './hash.ts';
import { bodyMethods } from './pack-format.ts';
import type { StoreParts } from './store-parts.ts';
import type { UnpackPool } from './unpack-pool.ts';

/** Stored bodies that stand together in a pack, and where in the buffer they go. */
interface PackRun {
  readonly packKey: string;
  readonly offset: number;
  readonly start: number;
  length: number;
  readonly bodies: { readonly index: number; readonly location: ChunkLocation }[];
}

/**
 * The chunks of these names, unpacked in threads and each checked by its name. Bodies that stand together in a pack,
 * as most do that were imported together, are read at once. What could not be had is `undefined`: garbage collection
 * may have moved it, or it is damaged, and whoever reads it by itself learns which.
 */
export async function loadChunks(
  parts: StoreParts,
  pool: UnpackPool,
  names: readonly Uint8Array[],
  buffer: Uint8Array,
): Promise<(Uint8Array | undefined)[]> {
  const chunks: (Uint8Array | undefined)[] = names.map(() => undefined);
  const unpacking: Promise<void>[] = [];
  for (const run of packRuns(parts, names)) {
    const stored = buffer.subarray(run.start, run.start + run.length);
    if (!(await canRead(parts, run, stored))) continue;
    for (const { index, location } of run.bodies) {
      const start = location.offset - run.offset;
      const body = stored.subarray(start, start + location.storedLength);
      const keep = async () => {
        const bytes = location.method === bodyMethods.plain ? body : await pool.unpack(body);
        if (bytes?.length === chunkSize && sameName(nameOf(bytes), location.name)) chunks[index] = bytes;
      };
      unpacking.push(keep());
    }
  }
  await Promise.all(unpacking);
  return chunks;
}

function packRuns(parts: StoreParts, names: readonly Uint8Array[]): PackRun[] {
  const runs: PackRun[] = [];
  let start = 0;
  for (const [index, name] of names.entries()) {
    const location = parts.chunks.find(name);
    if (location?.length !== chunkSize) continue;
    const { packKey, offset, storedLength } = location;
    let run = runs.at(-1);
    if (run?.packKey !== packKey || run.offset + run.length !== offset) {
      run = { packKey, offset, start, length: 0, bodies: [] };
      runs.push(run);
    }
    start += storedLength;
    run.length += storedLength;
    run.bodies.push({ index, location });
  }
  return runs;
}

async function canRead(parts: StoreParts, { packKey, offset }: PackRun, target: Uint8Array): Promise<boolean> {
  try {
    await parts.packs.read(packKey, target, offset);
    return true;
  } catch (error) {
    if (isVarveError(error)) return false;
    throw error;
  }
}
