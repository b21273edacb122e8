import type { BigIntStats } from 'node:fs';
import type { Catalog } from './catalog.ts';
import type { Content } from './ingest-device.ts';

/** What tells a file from all others and from itself before it was changed; numbers as decimal text, times in ns. */
export interface SourceIdentity {
  readonly device: string;
  readonly inode: string;
  readonly size: string;
  readonly modified: string;
  readonly changed: string;
}

/** The identity of the regular file that `stats` were asked of. */
export function sourceIdentity(stats: BigIntStats): SourceIdentity {
  return {
    device: String(stats.dev),
    inode: String(stats.ino),
    size: String(stats.size),
    modified: String(stats.mtimeNs),
    changed: String(stats.ctimeNs),
  };
}

/** Whether two looks at a file saw the same state of it. */
export function sameSource(a: SourceIdentity, b: SourceIdentity): boolean {
  return (
    a.device === b.device &&
    a.inode === b.inode &&
    a.size === b.size &&
    a.modified === b.modified &&
    a.changed === b.changed
  );
}

/**
 * File systems stamp changes by a clock that ticks every few milliseconds (FAT: 2 s): what changed so shortly before
 * it was read may change again without it showing. Git calls such files racily clean.
 */
const settledAfterNs = 2_000_000_000n;

/** Whether a file that was looked at `now`, in milliseconds since 1970, was last changed long enough before. */
export function isSettled(source: SourceIdentity, now: number): boolean {
  return BigInt(now) * 1_000_000n - BigInt(source.changed) > settledAfterNs;
}

/** What files that were imported held, so that one that has not changed since need not be read again. */
export class SourceTable {
  readonly #catalog: Catalog;

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
  }

  /**
   * The content of a file that was imported in the same state and read as the same format. Only contents that a
   * snapshot names count: of others, garbage collection may have taken parts.
   */
  find(source: SourceIdentity, format: string): Content | undefined {
    const row = this.#catalog.get(
      `SELECT s.root, s.size, s.data_length FROM sources f JOIN snapshots s ON s.root = f.root
       WHERE f.device = ? AND f.inode = ? AND f.size = ? AND f.modified = ? AND f.changed = ? AND f.format = ? LIMIT 1`,
      ...[source.device, source.inode, source.size, source.modified, source.changed, format],
    );
    if (row === undefined) return undefined;
    const statistics = { dataLength: row.data_length as number, addedLength: 0, storedLength: 0 };
    return { root: row.root as Uint8Array, size: row.size as number, statistics };
  }

  /** Remembers what a file held, in place of what it held before. */
  remember(source: SourceIdentity, format: string, root: Uint8Array): void {
    this.#catalog.writeLazily(() =>
      this.#catalog.run(
        `INSERT OR REPLACE INTO sources (device, inode, size, modified, changed, format, root)
         VALUES (?, ?, ?, ?, ?, ?, ?)`,
        ...[source.device, source.inode, source.size, source.modified, source.changed, format, root],
      ),
    );
  }
}
