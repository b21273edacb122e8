import { isVarveError } from '../base/varve-error.ts';
import { chunkSize, sameName } from './chunk.ts';
import type { ChunkLocation } from './chunk-table.ts';
import { nameOf } from './hash.ts';
import { type BodyMethod, bodyMethods } from './pack-format.ts';
import type { StoreParts } from './store-parts.ts';
import type { UnpackPool } from './unpack-pool.ts';

/** Stored bodies of one method that stand together in a pack, and where in the buffer they go. */
interface PackRun {
  readonly packKey: string;
  readonly method: BodyMethod;
  readonly offset: number;
  readonly start: number;
  length: number;
  readonly bodies: Body[];
}

interface Body {
  /** Its place among the chunks that were asked for. */
  readonly index: number;
  readonly location: ChunkLocation;
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
  const loading: Promise<void>[] = [];
  for (const run of packRuns(parts, names)) {
    const stored = buffer.subarray(run.start, run.start + run.length);
    if (!(await canRead(parts, run, stored))) continue;
    if (run.method === bodyMethods.plain) keep(chunks, run, plainBodies(run, stored));
    else loading.push(pool.unpack(stored, run.bodies.length).then((unpacked) => keep(chunks, run, unpacked)));
  }
  await Promise.all(loading);
  return chunks;
}

/** Keeps the chunks that are what their names promise. */
function keep(
  chunks: (Uint8Array | undefined)[],
  { bodies }: PackRun,
  unpacked: readonly Uint8Array[] | undefined,
): void {
  if (unpacked === undefined) return;
  for (const [order, { index, location }] of bodies.entries()) {
    const bytes = unpacked[order] as Uint8Array;
    if (sameName(nameOf(bytes), location.name)) chunks[index] = bytes;
  }
}

function plainBodies(run: PackRun, stored: Uint8Array): Uint8Array[] {
  return run.bodies.map(({ location: { offset, storedLength } }) => {
    const start = offset - run.offset;
    return stored.subarray(start, start + storedLength);
  });
}

function packRuns(parts: StoreParts, names: readonly Uint8Array[]): PackRun[] {
  const runs: PackRun[] = [];
  let start = 0;
  for (const [index, name] of names.entries()) {
    const location = locate(parts, name);
    if (location?.length !== chunkSize) continue;
    const { packKey, method, offset, storedLength } = location;
    let run = runs.at(-1);
    if (run?.packKey !== packKey || run.method !== method || run.offset + run.length !== offset) {
      run = { packKey, method, offset, start, length: 0, bodies: [] };
      runs.push(run);
    }
    start += storedLength;
    run.length += storedLength;
    run.bodies.push({ index, location });
  }
  return runs;
}

/** `undefined` also where the catalog contradicts itself, which is told to whoever reads that chunk by itself. */
function locate(parts: StoreParts, name: Uint8Array): ChunkLocation | undefined {
  try {
    return parts.chunks.find(name);
  } catch (error) {
    if (isVarveError(error)) return undefined;
    throw error;
  }
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
