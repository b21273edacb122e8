/*
 * A compressed file is cut into logical clusters; each has an entry in an index, in the file's order:
 *
 *   type  0 plain   an extent begins in it that is not compressed       offset  where in the cluster it begins
 *         1 head    one that is compressed in the first way             block   where on the device it is
 *         3 head 2  one that is compressed in the second way
 *         2 inner   none begins; the first one behind a head may say how many blocks that takes (0x800 and the count)
 *
 * An extent goes on to where the next one begins. The full index begins 16 bytes behind the end of the attributes (aligned to
 * 8), with 8 bytes a cluster: bits 0–1 of byte 0 the type, bytes 2–3 the offset, 4–7 the block, or of an inner one
 * 4–5 the count. The compact index begins right behind the header, in packs of two entries (8 bytes), and, where the header
 * says so, from the next multiple of 32 on as long as there are 16 left, of 16 entries (32 bytes). Entries have 16 or 14
 * bits: the lower 12 the offset or count, then 2 the type; a pack ends with a block, from which on those of its heads follow
 * each other; where clusters have one block only, it is the one before those.
 *
 * Source: Linux, fs/erofs/erofs_fs.h (struct z_erofs_lcluster_index) and Documentation/filesystems/erofs.rst; erofs-utils'
 * description of compact indexes.
 */
import { alignDown } from '../../bytes/align.ts';
import type { CompressedHeader } from './compressed-header.ts';

/** What an entry says; `block` is of heads only. */
export interface ClusterEntry {
  readonly type: number;
  /** Of an inner one the count of blocks with `countMark`, or something else. */
  readonly offset: number;
  readonly block: number;
}

/** The types of entries. */
export const entryTypes = { plain: 0, head: 1, inner: 2, secondHead: 3 } as const;
/** In the offset of an inner entry, that the rest is a count of blocks. */
export const countMark = 0x800;

const fullEntryLength = 8;
/** Between the header and the full index. */
const fullPadding = 8;
const offsetBits = 12;

/** How an index lies on the device. */
export interface IndexPlace {
  /** In bytes. */
  readonly start: number;
  readonly end: number;
  /** How many entries are in packs of two at the start, and then in packs of 16; what is left is in packs of two. */
  readonly pairs: number;
  readonly sixteens: number;
}

/** Where the index of a file with so many clusters is. */
export function indexPlace(header: CompressedHeader, clusterCount: number, isCompact: boolean): IndexPlace {
  if (!isCompact) {
    const start = header.end + fullPadding;
    return { start, end: start + clusterCount * fullEntryLength, pairs: 0, sixteens: 0 };
  }
  const pairs = Math.min(clusterCount, ((32 - (header.end % 32)) / 4) % 8);
  const sixteens = header.hasShortPacks ? alignDown(clusterCount - pairs, 16) : 0;
  const inPairs = (count: number): number => Math.ceil(count / 2) * 8;
  const length = inPairs(pairs) + sixteens * 2 + inPairs(clusterCount - pairs - sixteens);
  return { start: header.end, end: header.end + length, pairs, sixteens };
}

/** The entries of a full index. */
export function* fullEntries(index: DataView): Generator<ClusterEntry> {
  for (let place = 0; place + fullEntryLength <= index.byteLength; place += fullEntryLength) {
    const type = index.getUint16(place, true) & 3;
    const [offset, block] = [index.getUint16(place + 2, true), index.getUint32(place + 4, true)];
    if (type === entryTypes.inner) yield { type, offset: index.getUint16(place + 4, true), block: 0 };
    else yield { type, offset, block };
  }
}

/** The entries of a compact index, some behind the last cluster's among them. */
export function* compactEntries(
  index: DataView,
  { pairs, sixteens }: IndexPlace,
  hasLongClusters: boolean,
): Generator<ClusterEntry> {
  const [pairsEnd, sixteensEnd] = [pairs * 4, pairs * 4 + sixteens * 2];
  for (let place = 0; place < index.byteLength; ) {
    const isSixteen = place >= pairsEnd && place < sixteensEnd;
    const [count, length] = isSixteen ? [16, 32] : [2, 8];
    yield* packEntries(index, place, { count, length }, hasLongClusters);
    place += length;
  }
}

function* packEntries(
  index: DataView,
  place: number,
  { count, length }: { readonly count: number; readonly length: number },
  hasLongClusters: boolean,
): Generator<ClusterEntry> {
  const bits = ((length - 4) * 8) / count;
  let block = index.getUint32(place + length - 4, true) + (hasLongClusters ? 0 : 1);
  let lastHead = -2;
  for (let each = 0; each < count; each += 1) {
    const at = each * bits;
    // Of the last entry the word goes into the block behind it, which the mask takes off.
    const word = index.getUint32(place + Math.floor(at / 8), true) >>> (at % 8);
    const offset = word & (2 ** offsetBits - 1);
    const type = (word >>> offsetBits) & 3;
    if (type !== entryTypes.inner) {
      // A head of one block has no inner entry that says so.
      if (hasLongClusters && lastHead === each - 1) block += 1;
      yield { type, offset, block };
      lastHead = each;
      if (!hasLongClusters) block += 1;
    } else {
      if (hasLongClusters && offset >= countMark) block += offset - countMark;
      yield { type, offset, block: 0 };
    }
  }
}
