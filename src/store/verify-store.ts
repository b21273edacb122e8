import { setImmediate } from 'node:timers/promises';
import { isVarveError } from '../base/varve-error.ts';
import { hexOf, type NameKey, sameName } from './chunk.ts';
import { packKey } from './chunk-table.ts';
import { type DamagedRange, DamageFinder } from './damage.ts';
import { referenceOf, type Snapshot } from './image-table.ts';
import type { WorkOptions } from './ingest-device.ts';
import { leftovers } from './leftovers.ts';
import { decodeManifest, manifestKey } from './manifest.ts';
import { overlayProblems, staleOverlayRecords } from './overlay/check-overlays.ts';
import { staleRecords } from './stale-records.ts';
import type { StoreParts } from './store-parts.ts';
import { throwIfAborted } from './throw-if-aborted.ts';
import { verifyPack } from './verify-pack.ts';

/** Something that is wrong, and what of which snapshot it hurts; nothing, when no snapshot needs it. */
export interface Problem {
  readonly message: string;
  readonly damaged: readonly DamagedRange[];
}

/** What `verifyStore` looked at and found. */
export interface VerifyReport {
  readonly packCount: number;
  readonly chunkCount: number;
  readonly snapshotCount: number;
  /** Bytes of packs that were read. */
  readonly bytes: number;
  readonly problems: readonly Problem[];
  /**
   * Keys of files that belong to nothing, or say what was never done, because a process died, or is still at work: no
   * damage, and set right by the next garbage collection.
   */
  readonly leftovers: readonly string[];
}

/** A pack's trouble before it is known what it hurts. */
interface Finding {
  readonly message: string;
  readonly names: ReadonlySet<NameKey>;
}

/**
 * Reads everything: each pack and each body in it against its checksum and name, the catalog against the packs, each
 * manifest against the catalog, and each snapshot's map to its end.
 */
export async function verifyStore(parts: StoreParts, options: WorkOptions = {}): Promise<VerifyReport> {
  const findings: Finding[] = parts.catalog.integrityErrors().map((line) => ({
    message: `catalog: ${line}; rebuild it with varve verify --rebuild`,
    names: new Set(),
  }));
  const packs = await verifyPacks(parts, options, findings);
  const astray = namesAstray(parts);
  if (astray.size > 0) findings.push({ message: 'catalog: chunks are in packs that it does not have', names: astray });
  const finder = new DamageFinder(parts, new Set(findings.flatMap(({ names }) => [...names])));
  const problems: Problem[] = [];
  const damaged: DamagedRange[] = [];
  let snapshotCount = 0;
  // All at once: the catalog may change while this goes on.
  for (const snapshot of [...parts.images.every()]) {
    throwIfAborted(options.signal);
    await setImmediate();
    const message = manifestProblem(parts, snapshot);
    const ranges = finder.damageOf(snapshot);
    snapshotCount += 1;
    // What was removed meanwhile, and collected, is no loss.
    if ((message === undefined && ranges.length === 0) || !isStillThere(parts, snapshot)) continue;
    if (message !== undefined) problems.push({ message, damaged: [] });
    damaged.push(...ranges);
  }
  for (const { message, names } of findings) {
    problems.push({ message, damaged: damaged.filter((range) => range.names.some((name) => names.has(name))) });
  }
  const missing = damaged.filter((range) => !findings.some(({ names }) => range.names.some((name) => names.has(name))));
  if (missing.length > 0) problems.push({ message: 'chunks are missing from the catalog', damaged: missing });
  problems.push(...(await overlayProblems(parts, finder)));
  const stale = [...staleRecords(parts), ...staleOverlayRecords(parts)];
  for (const { damage } of stale) {
    if (damage !== undefined) problems.push({ message: `${damage}; varve gc writes it anew`, damaged: [] });
  }
  const unsaid = stale.filter(({ damage }) => damage === undefined);
  const leftoverKeys = [...leftovers(parts), ...unsaid].map(({ key }) => key);
  return { ...packs, snapshotCount, problems, leftovers: leftoverKeys };
}

async function verifyPacks(
  parts: StoreParts,
  options: WorkOptions,
  findings: Finding[],
): Promise<{ packCount: number; chunkCount: number; bytes: number }> {
  const rows = parts.catalog.all('SELECT id, name, size FROM packs ORDER BY id');
  let chunkCount = 0;
  let bytes = 0;
  for (const row of rows) {
    throwIfAborted(options.signal);
    const id = row.id as number;
    const key = packKey(row.name as Uint8Array);
    const result = await verifyPack(parts, { id, key, size: row.size as number }, options);
    // A pack that garbage collection deleted meanwhile is no loss.
    if (parts.catalog.get('SELECT 1 FROM packs WHERE id = ?', id) === undefined) continue;
    findings.push(...result.findings);
    chunkCount += result.chunkCount;
    bytes += row.size as number;
    options.onProgress?.(bytes);
  }
  return { packCount: rows.length, chunkCount, bytes };
}

/** The names whose pack the catalog does not know. */
function namesAstray(parts: StoreParts): Set<NameKey> {
  const rows = parts.catalog.all('SELECT name FROM chunks WHERE pack NOT IN (SELECT id FROM packs)');
  return new Set(rows.map((row) => hexOf(row.name as Uint8Array)));
}

function manifestProblem(parts: StoreParts, snapshot: Snapshot): string | undefined {
  const key = manifestKey(snapshot.id);
  try {
    const bytes = new Uint8Array(parts.packs.size(key));
    parts.packs.read(key, bytes, 0);
    const manifest = decodeManifest(bytes, snapshot.id, key);
    const same = sameName(manifest.root, snapshot.root) && manifest.number === snapshot.number;
    return same && manifest.size === snapshot.size
      ? undefined
      : `${key}: the catalog says otherwise of ${referenceOf(snapshot)}`;
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND')) return `${key}: missing, the manifest of ${referenceOf(snapshot)}`;
    if (isVarveError(error)) return error.message;
    throw error;
  }
}

function isStillThere(parts: StoreParts, snapshot: Snapshot): boolean {
  return parts.catalog.get('SELECT 1 FROM snapshots WHERE id = ?', snapshot.id) !== undefined;
}

/** The bytes of packs that `verifyStore` will read, for progress. */
export function bytesToVerify(parts: StoreParts): number {
  return Number(parts.catalog.get('SELECT coalesce(sum(size), 0) AS size FROM packs')?.size);
}
