import { setImmediate, setTimeout } from 'node:timers/promises';
import { VarveError } from '../base/varve-error.ts';
import { hexOf } from './chunk.ts';
import { packKey } from './chunk-table.ts';
import type { WorkOptions } from './ingest-device.ts';
import { deleteLeftovers } from './leftovers.ts';
import { mendOverlayRecords } from './overlay/check-overlays.ts';
import { measurePacks, type PackUse, packsToRewrite } from './pack-use.ts';
import { ReachableMarker } from './reachable.ts';
import { rewritePacks } from './rewrite-packs.ts';
import { mendRecords } from './stale-records.ts';
import type { StoreParts } from './store-parts.ts';
import { throwIfAborted } from './throw-if-aborted.ts';

/** What garbage collection did, or with `dryRun` would do. */
export interface GarbageReport {
  readonly deletedChunks: number;
  readonly deletedPacks: number;
  readonly rewrittenPacks: number;
  /** What the store shrank by, in bytes. */
  readonly freedBytes: number;
}

export interface GarbageOptions extends WorkOptions {
  /** Says what would be done, and does nothing. */
  readonly dryRun?: boolean | undefined;
  /** How long to wait for imports to end; a minute by default. */
  readonly waitMs?: number | undefined;
}

const leavesPerTurn = 64;

/**
 * Deletes what no snapshot and no open disk needs: marks what is reachable, copies what lives in mostly dead packs to
 * new ones, and then, in one transaction during which nobody imports, forgets the rest; files go last. Killed at any
 * moment it leaves a whole store, and the next run does the rest.
 * @throws BUSY when another collection runs, or imports do not end in time; CORRUPT when a map cannot be read
 */
export async function collectGarbage(parts: StoreParts, options: GarbageOptions = {}): Promise<GarbageReport> {
  const lease = takeCollectLease(parts);
  try {
    const marker = new ReachableMarker(parts, highestId(parts));
    await markAll(parts, marker, options);
    const uses = measurePacks(parts, marker);
    const rewritten = packsToRewrite(uses);
    if (options.dryRun) return estimate(uses, rewritten);
    const addedBytes = await rewritePacks(parts, marker, rewritten, options);
    const swept = await sweepAlone(parts, marker, options);
    parts.catalog.write(() => {
      mendRecords(parts);
      mendOverlayRecords(parts);
    });
    return {
      deletedChunks: swept.deletedChunks,
      deletedPacks: swept.packs.length,
      rewrittenPacks: rewritten.length,
      freedBytes: swept.packs.reduce((sum, pack) => sum + pack.size, swept.leftoverBytes) - addedBytes,
    };
  } finally {
    parts.leases.release(lease);
  }
}

function takeCollectLease(parts: StoreParts): number {
  return parts.catalog.write(() => {
    const [other] = parts.leases.living('collect');
    if (other !== undefined) throw new VarveError('BUSY', `process ${other.pid} is collecting garbage here already`);
    return parts.leases.take('collect', 'garbage collection');
  });
}

function highestId(parts: StoreParts): number {
  return Number(parts.catalog.get('SELECT coalesce(max(id), 0) AS id FROM chunks')?.id);
}

function* liveRoots(parts: StoreParts): Iterable<Uint8Array> {
  const seen = new Set<string>();
  const rows = parts.catalog.all('SELECT DISTINCT root FROM snapshots').map((row) => row.root as Uint8Array);
  const bases = parts.overlays.all().flatMap(({ base }) => (base === undefined ? [] : [base.root]));
  for (const root of [...rows, ...bases, ...parts.leases.heldRoots()]) {
    const key = hexOf(root);
    if (!seen.has(key)) yield root;
    seen.add(key);
  }
}

async function markAll(parts: StoreParts, marker: ReachableMarker, options: WorkOptions): Promise<void> {
  let turn = 0;
  for (const root of liveRoots(parts)) {
    for (const _leaf of marker.mark(root)) {
      turn += 1;
      if (turn % leavesPerTurn === 0) await setImmediate();
      throwIfAborted(options.signal);
    }
  }
}

interface SweptPack {
  readonly name: Uint8Array;
  readonly size: number;
}

interface Swept {
  readonly packs: SweptPack[];
  readonly deletedChunks: number;
  readonly leftoverBytes: number;
}

/** Sweeps as soon as nobody imports: what an import found in the catalog must not go before its snapshot names it. */
async function sweepAlone(parts: StoreParts, marker: ReachableMarker, options: GarbageOptions): Promise<Swept> {
  const deadline = Date.now() + (options.waitMs ?? 60_000);
  for (;;) {
    throwIfAborted(options.signal);
    const swept = parts.catalog.write(() => {
      parts.leases.reap();
      return parts.leases.living('ingest').length === 0 ? sweep(parts, marker) : undefined;
    });
    if (swept !== undefined) {
      // No new pack can take the place of these: a pack's name is unique.
      for (const { name } of swept.packs) parts.packs.delete(packKey(name));
      return swept;
    }
    if (Date.now() > deadline) refuseToWait(parts);
    await setTimeout(50);
  }
}

function refuseToWait(parts: StoreParts): never {
  const holders = parts.leases.living('ingest').map(({ purpose, pid }) => `${purpose} (process ${pid})`);
  throw new VarveError('BUSY', `cannot collect garbage during ${holders.join(', ') || 'imports'}; try again later`);
}

/** Inside the transaction: marks what came since, then forgets what is still dead. */
function sweep(parts: StoreParts, marker: ReachableMarker): Swept {
  for (const root of liveRoots(parts)) for (const _leaf of marker.mark(root));
  let deletedChunks = 0;
  const dead: number[] = [];
  for (const row of parts.catalog.iterate('SELECT id FROM chunks')) {
    if (marker.isDead(row.id as number)) dead.push(row.id as number);
  }
  for (const id of dead) deletedChunks += parts.catalog.run('DELETE FROM chunks WHERE id = ?', id).changes;
  const unused = parts.catalog.all(
    'SELECT id, name, size FROM packs WHERE id NOT IN (SELECT DISTINCT pack FROM chunks)',
  );
  for (const row of unused) parts.catalog.run('DELETE FROM packs WHERE id = ?', row.id as number);
  const packs = unused.map((row) => ({ name: row.name as Uint8Array, size: row.size as number }));
  const leftoverBytes = deleteLeftovers(parts, new Set(packs.map(({ name }) => packKey(name))));
  return { packs, deletedChunks, leftoverBytes };
}

function estimate(uses: readonly PackUse[], rewritten: readonly PackUse[]): GarbageReport {
  const unused = uses.filter((use) => use.liveCount === 0);
  const sum = (values: readonly PackUse[], of: (use: PackUse) => number) =>
    values.reduce((all, use) => all + of(use), 0);
  return {
    deletedChunks: sum(uses, (use) => use.deadCount),
    deletedPacks: unused.length,
    rewrittenPacks: rewritten.length,
    freedBytes: sum(unused, (use) => use.size) + sum(rewritten, (use) => use.size - use.liveBytes),
  };
}
