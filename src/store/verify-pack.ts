import { setImmediate } from 'node:timers/promises';
import { isVarveError } from '../base/varve-error.ts';
import type { Row } from './catalog.ts';
import { hexOf, type NameKey } from './chunk.ts';
import type { WorkOptions } from './ingest-device.ts';
import type { PackEntry } from './pack-format.ts';
import { readPackIndex } from './pack-index.ts';
import type { StoreParts } from './store-parts.ts';
import { throwIfAborted } from './throw-if-aborted.ts';
import { hasChecksum, unpackBody } from './unpack-body.ts';

/** A pack as the catalog knows it. */
export interface KnownPack {
  readonly id: number;
  readonly key: string;
  /** Its size in bytes. */
  readonly size: number;
}

/** What is wrong with a pack: in words, and the bodies that are lost to it. */
export interface PackFinding {
  readonly message: string;
  readonly names: ReadonlySet<NameKey>;
}

const bodiesPerTurn = 64;

/** Reads a pack whole and compares it with itself and the catalog. */
export async function verifyPack(
  parts: StoreParts,
  pack: KnownPack,
  options: WorkOptions,
): Promise<{ findings: PackFinding[]; chunkCount: number }> {
  let entries: readonly PackEntry[];
  try {
    const index = await readPackIndex(parts.packs, pack.key);
    entries = index.entries;
    if (index.size !== pack.size) return lost(parts, pack, `${pack.key}: ${index.size} bytes, not ${pack.size}`);
  } catch (error) {
    if (isVarveError(error, 'NOT_FOUND')) return lost(parts, pack, `${pack.key}: the pack is missing`);
    if (isVarveError(error)) return lost(parts, pack, error.message);
    throw error;
  }
  const findings = await verifyBodies(parts, pack, entries, options);
  const unknown = unlisted(parts, pack, entries);
  if (unknown.size > 0) {
    findings.push({
      message: `${pack.key}: ${unknown.size} bodies are not where the catalog has them`,
      names: unknown,
    });
  }
  return { findings, chunkCount: entries.length };
}

/** All that the catalog expects in a pack is lost with it. */
function lost(parts: StoreParts, pack: KnownPack, message: string): { findings: PackFinding[]; chunkCount: number } {
  const rows = parts.catalog.all('SELECT name FROM chunks WHERE pack = ?', pack.id);
  return { findings: [{ message, names: new Set(rows.map((row) => hexOf(row.name as Uint8Array))) }], chunkCount: 0 };
}

async function verifyBodies(
  parts: StoreParts,
  pack: KnownPack,
  entries: readonly PackEntry[],
  options: WorkOptions,
): Promise<PackFinding[]> {
  const findings: PackFinding[] = [];
  let turn = 0;
  for (const entry of entries) {
    turn += 1;
    if (turn % bodiesPerTurn === 0) await setImmediate();
    throwIfAborted(options.signal);
    const message = await bodyProblem(parts, pack, entry);
    if (message === undefined) continue;
    const isUsed = parts.chunks.placeOf(entry.name)?.packId === pack.id;
    findings.push({ message, names: new Set(isUsed ? [hexOf(entry.name)] : []) });
  }
  return findings;
}

async function bodyProblem(parts: StoreParts, pack: KnownPack, entry: PackEntry): Promise<string | undefined> {
  try {
    const stored = new Uint8Array(entry.storedLength);
    await parts.packs.read(pack.key, stored, entry.offset);
    if (!hasChecksum(stored, entry)) return `${pack.key}: damaged at byte ${entry.offset}, ${entry.storedLength} bytes`;
    unpackBody(stored, entry, pack.key);
    return undefined;
  } catch (error) {
    if (isVarveError(error)) return error.message;
    throw error;
  }
}

/** The names that the catalog expects in the pack, and that are not in it, or elsewhere in it. */
function unlisted(parts: StoreParts, pack: KnownPack, entries: readonly PackEntry[]): Set<NameKey> {
  const names = new Set<NameKey>();
  const byName = new Map(entries.map((entry) => [hexOf(entry.name), entry]));
  for (const row of parts.catalog.all(
    'SELECT name, offset, stored_length, length, crc32, method, kind FROM chunks WHERE pack = ?',
    pack.id,
  )) {
    const key = hexOf(row.name as Uint8Array);
    const entry = byName.get(key);
    if (entry === undefined || !isPlacedAs(entry, row)) names.add(key);
  }
  return names;
}

function isPlacedAs(entry: PackEntry, row: Row): boolean {
  const isThere = entry.offset === row.offset && entry.storedLength === row.stored_length;
  const isSame = entry.length === row.length && entry.crc32 === row.crc32;
  return isThere && isSame && entry.method === row.method && entry.kind === row.kind;
}
