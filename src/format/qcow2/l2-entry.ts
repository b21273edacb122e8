import { corruptImage } from '../image-errors.ts';
import { hasFeature } from './check-header.ts';
import { compressedLength, compressedOffset, compressedSectorLength, hostOffsetOf } from './cluster-entry.ts';
import type { ImageFile } from './image-file.ts';
import { copiedBit } from './layout.ts';

/**
 * An L2 entry, alike for tables with extended entries and without. A cluster has 32 *units* that are allocated or read
 * as zeros on their own in the first case, and one in the second.
 */
export interface L2Entry {
  /** Where its host cluster is; undefined where it has none, or is compressed. */
  readonly hostOffset: number | undefined;
  /** Whether nothing else refers to that cluster. */
  readonly isExclusive: boolean;
  /** Bit n: unit n is in the host cluster. */
  readonly allocated: number;
  /** Bit n: unit n reads as zeros. */
  readonly zeros: number;
  /** The sectors that its compressed bytes are in; undefined where it is not compressed. */
  readonly compressed: { readonly offset: number; readonly length: number } | undefined;
}

const twoTo32 = 0x1_0000_0000;
const compressedBit = 0x4000_0000;

/** Reads and writes the entries of one image's L2 tables. */
export class L2Codec {
  /** Bytes of an entry. */
  readonly entryLength: 8 | 16;
  /** Units of a cluster. */
  readonly unitCount: 1 | 32;
  /** The bits of all units. */
  readonly allUnits: number;
  readonly #clusterBits: number;
  readonly #isDataExternal: boolean;
  readonly #name: string;

  constructor({ header, name }: ImageFile) {
    const isExtended = hasFeature(header, 'extendedL2');
    this.#clusterBits = header.clusterBits;
    this.#isDataExternal = hasFeature(header, 'externalDataFile');
    this.#name = name;
    this.entryLength = isExtended ? 16 : 8;
    this.unitCount = isExtended ? 32 : 1;
    this.allUnits = isExtended ? 0xffff_ffff : 1;
  }

  /**
   * `index` counts entries.
   *
   * @throws VarveError `CORRUPT` where a host cluster starts inside a cluster
   */
  decode(table: DataView, index: number): L2Entry {
    const position = index * this.entryLength;
    const high = table.getUint32(position);
    const low = table.getUint32(position + 4);
    if ((high & compressedBit) !== 0) return this.#decodeCompressed(high, low);
    const isExclusive = high >= copiedBit;
    const offset = hostOffsetOf(high, low);
    if (offset % 2 ** this.#clusterBits !== 0) {
      throw corruptImage(this.#name, `an L2 entry points to byte ${offset} of the file, inside a cluster`);
    }
    // An external data file's first cluster is at offset 0.
    const hostOffset = offset !== 0 || (this.#isDataExternal && isExclusive) ? offset : undefined;
    if (this.entryLength === 16) {
      const zeros = table.getUint32(position + 8);
      return { hostOffset, isExclusive, allocated: table.getUint32(position + 12), zeros, compressed: undefined };
    }
    const zeros = low & 1;
    const allocated = zeros === 0 && hostOffset !== undefined ? 1 : 0;
    return { hostOffset, isExclusive, allocated, zeros, compressed: undefined };
  }

  /**
   * Sets an entry that is not compressed. Its host cluster, if it has one, is its own, or `isExclusive` says that it is
   * not.
   */
  encode(
    table: DataView,
    index: number,
    {
      hostOffset,
      allocated,
      zeros,
      isExclusive = true,
    }: Omit<L2Entry, 'isExclusive' | 'compressed'> & { isExclusive?: boolean },
  ): void {
    const position = index * this.entryLength;
    const flag = hostOffset !== undefined && isExclusive ? copiedBit : 0;
    const offset = hostOffset ?? 0;
    table.setUint32(position, Math.floor(offset / twoTo32) + flag);
    table.setUint32(position + 4, (offset % twoTo32) + (this.entryLength === 8 ? zeros : 0));
    if (this.entryLength === 8) return;
    table.setUint32(position + 8, zeros);
    table.setUint32(position + 12, allocated);
  }

  #decodeCompressed(high: number, low: number): L2Entry {
    const start = compressedOffset(high, low, this.#clusterBits);
    const offset = start - (start % compressedSectorLength);
    const length = start - offset + compressedLength(high, low, this.#clusterBits);
    return {
      hostOffset: undefined,
      isExclusive: false,
      allocated: this.allUnits,
      zeros: 0,
      compressed: { offset, length },
    };
  }
}

/** The bits of the units from `first` up to `last`. */
export function unitMask(first: number, last: number): number {
  const below = (count: number): number => (count >= 32 ? 0xffff_ffff : 2 ** count - 1);
  return last <= first ? 0 : (below(last) - below(first)) >>> 0;
}
