import { alignDown } from '../../../bytes/align.ts';
import type { IntervalSet } from '../../../bytes/interval-set.ts';
import type { XfsVolume } from '../volume.ts';
import { type InodeChunk, isUsed } from './inode-chunks.ts';

/** The fields that say when an inode was read and where it was logged, and its checksum, by offset and length. */
const ofNoInterest = {
  4: [
    [30, 2],
    [32, 8],
  ],
  5: [
    [32, 8],
    [100, 4],
    [112, 8],
  ],
} as const;

/** The numbers of the inodes of a chunk that are not the same, but for when they were read. */
export async function* changedInodes(
  a: XfsVolume,
  b: XfsVolume,
  { first, offset, end }: InodeChunk,
  ranges: IntervalSet,
): AsyncGenerator<number> {
  const { inodeSize } = a.superblock;
  let next = offset;
  for (const range of ranges.intersect(offset, end)) {
    for (let at = Math.max(next, alignDown(range.offset, inodeSize)); at < range.end; at += inodeSize) {
      if (!(await isSameInode(a, b, at))) yield first + (at - offset) / inodeSize;
      next = at + inodeSize;
    }
  }
}

async function isSameInode(a: XfsVolume, b: XfsVolume, offset: number): Promise<boolean> {
  const [one, other] = [await bytesAt(a, offset), await bytesAt(b, offset)];
  for (const [start, length] of ofNoInterest[a.superblock.version]) {
    one.fill(0, start, start + length);
    other.fill(0, start, start + length);
  }
  return Buffer.compare(one, other) === 0;
}

async function bytesAt(volume: XfsVolume, offset: number): Promise<Uint8Array> {
  const { blockSize, inodeSize } = volume.superblock;
  const page = await volume.block(Math.floor(offset / blockSize), 'a block of inodes');
  return new Uint8Array(page.buffer, page.byteOffset + (offset % blockSize), inodeSize).slice();
}

/** The numbers of inodes that only one of two states has in use; others may be among them. */
export function* turnedInodes(before: readonly InodeChunk[], after: readonly InodeChunk[]): Generator<number> {
  const old = new Map(before.map((chunk) => [chunk.offset, chunk]));
  for (const chunk of after) {
    const was = old.get(chunk.offset);
    if (was !== undefined && was.end === chunk.end) {
      old.delete(chunk.offset);
      if (was.free !== chunk.free) yield* usedIn({ ...chunk, free: ~(was.free ^ chunk.free) });
    } else yield* usedIn(chunk);
  }
  for (const chunk of old.values()) yield* usedIn(chunk);
}

/** The numbers of the inodes of a chunk that are in use. */
export function* usedIn(chunk: InodeChunk): Generator<number> {
  for (let number = chunk.first; number < chunk.first + chunk.count; number++) {
    if (isUsed(chunk, number)) yield number;
  }
}

/** Those of some inodes that are in use. */
export function usedAmong(
  wanted: ReadonlySet<number>,
  groups: Iterable<{ readonly chunks: readonly InodeChunk[] }>,
): Set<number> {
  const used = new Set<number>();
  for (const { chunks } of groups) {
    for (const chunk of chunks) {
      for (let number = chunk.first; number < chunk.first + chunk.count; number++) {
        if (wanted.has(number) && isUsed(chunk, number)) used.add(number);
      }
    }
  }
  return used;
}
