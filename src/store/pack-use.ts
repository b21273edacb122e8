import { packKey } from './chunk-table.ts';
import { packSizeFor } from './pack-format.ts';
import type { ReachableMarker } from './reachable.ts';
import type { StoreParts } from './store-parts.ts';

/** How much of a pack is still needed. */
export interface PackUse {
  readonly id: number;
  readonly key: string;
  /** Its size in bytes. */
  readonly size: number;
  liveCount: number;
  /** Stored bytes of live bodies. */
  liveBytes: number;
  deadCount: number;
}

/** Packs below this are merged once there are many: each costs a file, and a request where the store is remote. */
const smallPackBytes = 1024 * 1024;
const smallPackLimit = 32;

/** Counts live and dead bodies of every pack. */
export function measurePacks(parts: StoreParts, marker: ReachableMarker): PackUse[] {
  const uses = new Map<number, PackUse>();
  for (const row of parts.catalog.all('SELECT id, name, size FROM packs')) {
    const id = row.id as number;
    const key = packKey(row.name as Uint8Array);
    uses.set(id, { id, key, size: row.size as number, liveCount: 0, liveBytes: 0, deadCount: 0 });
  }
  for (const row of parts.catalog.iterate('SELECT id, pack, stored_length FROM chunks')) {
    const use = uses.get(row.pack as number);
    if (use === undefined) continue;
    if (marker.isDead(row.id as number)) use.deadCount += 1;
    else {
      use.liveCount += 1;
      use.liveBytes += row.stored_length as number;
    }
  }
  return [...uses.values()];
}

/** The packs that are worth copying: mostly dead ones, and small ones once there are many. */
export function packsToRewrite(uses: readonly PackUse[]): PackUse[] {
  const used = uses.filter((use) => use.liveCount > 0);
  const mostlyDead = used.filter((use) => packSizeFor(use.liveCount, use.liveBytes) < use.size / 2);
  const small = used.filter((use) => use.size < smallPackBytes && !mostlyDead.includes(use));
  return small.length < smallPackLimit ? mostlyDead : [...mostlyDead, ...small];
}
