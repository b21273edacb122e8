import {
  type ClusterEntry,
  compactEntries,
  countMark,
  entryTypes,
  fullEntries,
  type IndexPlace,
  indexPlace,
} from './cluster-index.ts';
import type { CompressedHeader } from './compressed-header.ts';
import type { ErofsFile } from './file-content.ts';
import { layouts } from './inode.ts';
import type { ErofsVolume } from './volume.ts';

/** A run of a compressed file that is unpacked in one go; in bytes. */
export interface CompressedExtent {
  readonly start: number;
  readonly length: number;
  /** `fragment`: in the packed inode, from `place` of that on. */
  readonly kind: 'plain' | 'turned' | 'first' | 'second' | 'fragment';
  /** Where on the device its packed bytes are, and how many there are at most. */
  readonly place: number;
  readonly packedLength: number;
}

/** Compact indexes have 12 bits for offsets, which is enough for clusters of this many. */
const largestCompactCluster = 12;
/** What Linux takes at most, in bytes. */
const longestPacked = 2 ** 20;

/** The extents of a compressed file, in order. @throws VarveError `CORRUPT`, `UNSUPPORTED` */
export async function compressedExtents(
  volume: ErofsVolume,
  file: ErofsFile,
  header: CompressedHeader,
): Promise<CompressedExtent[]> {
  const { layout, stat } = file.inode;
  if (header.wholeFragmentOffset !== undefined) {
    return [{ start: 0, length: stat.size, kind: 'fragment', place: header.wholeFragmentOffset, packedLength: 0 }];
  }
  const isCompact = layout === layouts.compressedCompact;
  if (isCompact && header.clusterBits > largestCompactCluster) {
    throw volume.unsupported(`inode ${file.node} has a compact index for clusters of 2^${header.clusterBits} bytes`);
  }
  const clusterCount = Math.ceil(stat.size / 2 ** header.clusterBits);
  const place = indexPlace(header, clusterCount, isCompact);
  if (!(place.end <= volume.superblock.size)) throw volume.corrupt(`the index of inode ${file.node} lies past the end`);
  const index = await volume.metadata(place.start, place.end - place.start, `the index of inode ${file.node}`);
  const entries = isCompact ? compactEntries(index, place, header.hasLongClusters) : fullEntries(index);
  return new Extents(volume, file, header, place).of(entries, clusterCount);
}

/** A head, and how many blocks it takes. */
interface Head {
  readonly start: number;
  readonly type: number;
  readonly block: number;
  blocks: number;
}

class Extents {
  readonly #volume: ErofsVolume;
  readonly #file: ErofsFile;
  readonly #header: CompressedHeader;
  readonly #index: IndexPlace;

  constructor(volume: ErofsVolume, file: ErofsFile, header: CompressedHeader, index: IndexPlace) {
    this.#volume = volume;
    this.#file = file;
    this.#header = header;
    this.#index = index;
  }

  of(entries: Iterable<ClusterEntry>, clusterCount: number): CompressedExtent[] {
    const { size } = this.#file.inode.stat;
    // A file that ends inside of a cluster may have a head there, of an extent that has nothing.
    const heads = this.#heads(entries, clusterCount).filter(({ start }) => start < size);
    if (heads[0]?.start !== 0) throw this.#corrupt('begins with what is no head');
    return heads.map((head, index) => {
      const next = heads[index + 1]?.start ?? size;
      if (next <= head.start) throw this.#corrupt(`has an extent that ends where it begins, at ${head.start}`);
      const isLast = index === heads.length - 1;
      return this.#extent(head, next - head.start, isLast);
    });
  }

  #heads(entries: Iterable<ClusterEntry>, clusterCount: number): Head[] {
    const { clusterBits, hasLongClusters } = this.#header;
    const clusterLength = 2 ** clusterBits;
    const heads: Head[] = [];
    let cluster = 0;
    let lastHead = -1;
    for (const { block, offset, type } of entries) {
      if (cluster === clusterCount) break;
      if (type !== entryTypes.inner) {
        if (offset >= clusterLength) throw this.#corrupt(`has an extent at byte ${offset} of a cluster`);
        heads.push({ start: cluster * clusterLength + offset, type, block, blocks: 1 });
        lastHead = cluster;
      } else if (lastHead === cluster - 1 && hasLongClusters && offset >= countMark) {
        heads.at(-1)!.blocks = offset % countMark;
      }
      cluster += 1;
    }
    return heads;
  }

  #extent({ block, blocks, start, type }: Head, length: number, isLast: boolean): CompressedExtent {
    const { fragmentOffset, hasFragment, hasInlineEnd, inlineLength, isTurned } = this.#header;
    const { blockSize } = this.#volume.superblock;
    if (isLast && hasFragment) {
      // A full index has the upper half of the place in the last head.
      const upper = this.#file.inode.layout === layouts.compressedFull ? block * 2 ** 32 : 0;
      return { start, length, kind: 'fragment', place: upper + fragmentOffset, packedLength: 0 };
    }
    const isInline = isLast && hasInlineEnd;
    const packedLength = isInline ? inlineLength : blocks * blockSize;
    if (packedLength === 0 || packedLength > longestPacked) throw this.#corrupt(`has ${packedLength} packed bytes`);
    const place = isInline ? this.#index.end : block * blockSize;
    const plain = isTurned && !isInline ? 'turned' : 'plain';
    const kind = type === entryTypes.plain ? plain : type === entryTypes.head ? 'first' : 'second';
    return { start, length, kind, place, packedLength };
  }

  #corrupt(why: string): Error {
    return this.#volume.corrupt(`the index of inode ${this.#file.node} ${why}`);
  }
}
