import fs from 'node:fs';
import { join } from 'node:path';
import type { Lease } from '../store/lease.ts';
import { leftovers } from '../store/leftovers.ts';
import { catalogFile, type Store } from '../store/store.ts';

/** What a store holds, what that takes on disk, and who is at work in it; sizes in bytes. */
export interface StoreMeasure {
  readonly imageCount: number;
  readonly snapshotCount: number;
  /** The sizes of all images' newest disks. */
  readonly diskBytes: number;
  readonly chunkCount: number;
  readonly packCount: number;
  readonly packBytes: number;
  readonly catalogBytes: number;
  /** Files that belong to nothing; garbage collection deletes them, unless they belong to work under way. */
  readonly leftoverCount: number;
  readonly leftoverBytes: number;
  readonly leases: readonly Lease[];
}

/** Looks at a store's catalog and files. */
export function measureStore(store: Store): StoreMeasure {
  const counts = store.catalog.read(() => ({
    images: store.images.all(),
    newest: [...store.images.newest().values()],
    chunkCount: count(store, 'SELECT count(*) AS value FROM chunks'),
    packCount: count(store, 'SELECT count(*) AS value FROM packs'),
    packBytes: count(store, 'SELECT coalesce(sum(size), 0) AS value FROM packs'),
    leases: store.leases.living(),
  }));
  const left = [...leftovers(store)];
  const { images, newest, ...rest } = counts;
  return {
    ...rest,
    imageCount: images.length,
    snapshotCount: images.reduce((sum, image) => sum + image.snapshotCount, 0),
    diskBytes: newest.reduce((sum, snapshot) => sum + snapshot.size, 0),
    catalogBytes: ['', '-wal'].reduce((sum, suffix) => sum + fileSize(join(store.path, catalogFile + suffix)), 0),
    leftoverCount: left.length,
    leftoverBytes: left.reduce((sum, entry) => sum + entry.size, 0),
  };
}

function count(store: Store, sql: string): number {
  return Number(store.catalog.get(sql)?.value);
}

function fileSize(path: string): number {
  return fs.statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}
