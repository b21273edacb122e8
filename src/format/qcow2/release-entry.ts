import type { ImageTables } from './image-tables.ts';
import type { L2Entry } from './l2-entry.ts';

/** Gives up what an entry refers to; nothing in the tables may do so any more. */
export function releaseEntry({ data, image, refcounts }: ImageTables, { compressed, hostOffset }: L2Entry): void {
  const { clusterSize } = image;
  if (compressed !== undefined) {
    const first = Math.floor(compressed.offset / clusterSize);
    const last = Math.floor((compressed.offset + compressed.length - 1) / clusterSize);
    refcounts.release(first, last - first + 1);
  } else if (hostOffset !== undefined && !data.isExternal) {
    refcounts.release(hostOffset / clusterSize, 1);
  }
}
