import { isVarveError } from '../../../base/varve-error.ts';
import type { Steps } from '../../../block/run-steps.ts';
import { alignDown, alignUp } from '../../../bytes/align.ts';
import { Bitmap } from '../../../bytes/bitmap.ts';
import { type Interval, IntervalSet } from '../../../bytes/interval-set.ts';
import { hostOffsetOf } from '../cluster-entry.ts';
import type { ImageFile } from '../image-file.ts';
import type { Refcounts } from '../refcounts.ts';
import { type BitmapEntry, bitmapFlag, dirtyTrackingType } from './bitmap-directory.ts';
import { inUse, markBitmapsInUse, rewriteBitmapDirectory } from './mark-in-use.ts';
import { checkBitmapTable, readBitmapTable } from './read-bitmaps.ts';

const maximumIntervalCount = 2 ** 17;
const twoTo32 = 0x1_0000_0000;

/**
 * Keeps an image's persistent dirty bitmaps while the disk is written: those that are to be kept are marked as in use at
 * the beginning, what is written is remembered, and at the end it is put into them.
 */
export class KeptBitmaps {
  readonly #image: ImageFile;
  readonly #entries: readonly BitmapEntry[];
  readonly #kept: readonly BitmapEntry[];
  #written = new IntervalSet();
  /** Ranges are remembered in units of so many bytes. */
  #unit: number;

  private constructor(image: ImageFile, entries: readonly BitmapEntry[]) {
    this.#image = image;
    this.#entries = entries;
    this.#kept = entries.filter(isKept);
    this.#unit = 2 ** Math.min(52, ...this.#kept.map(({ granularityBits }) => granularityBits));
  }

  /**
   * Begins to keep the bitmaps of an image; undefined where it has none that can be kept, and they have to be switched off.
   *
   * @throws VarveError `CORRUPT`
   */
  static *begin(image: ImageFile): Steps<KeptBitmaps | undefined> {
    const entries = yield* markBitmapsInUse(image, isKept);
    const areKnown = entries.length > 0 && entries.every(({ type }) => type === dirtyTrackingType);
    return areKnown ? new KeptBitmaps(image, entries) : undefined;
  }

  /** Remembers that a range of the disk is written. */
  note(offset: number, length: number): void {
    if (this.#kept.length === 0) return;
    this.#written.add(alignDown(offset, this.#unit), alignUp(offset + length, this.#unit));
    if (this.#written.intervalCount > maximumIntervalCount) this.#coarsen();
  }

  /** A bitmap that has too much in it costs its reader time, and one that has too little costs data. */
  #coarsen(): void {
    this.#unit *= 16;
    const unit = this.#unit;
    const coarse = new IntervalSet();
    for (const { end, offset } of this.#written) coarse.add(alignDown(offset, unit), alignUp(end, unit));
    this.#written = coarse;
  }

  /** Gives up all bitmaps, because the disk changes its size: they stay marked as in use. */
  *giveUp(): Steps {
    yield* markBitmapsInUse(this.#image, () => true);
    this.#written = new IntervalSet();
  }

  /**
   * Puts what was written into the bitmaps, and says that they are whole; all else is durable by now. One whose table
   * is damaged stays marked as in use.
   */
  *store(refcounts: Refcounts): Steps {
    const damaged = new Set<BitmapEntry>();
    for (const entry of this.#kept) {
      try {
        yield* this.#storeInto(entry, refcounts);
      } catch (error) {
        if (!isVarveError(error, 'CORRUPT')) throw error;
        damaged.add(entry);
      }
    }
    const entries = this.#entries.map((entry) => (damaged.has(entry) ? inUse(entry) : entry));
    yield* rewriteBitmapDirectory(this.#image, entries);
    this.#written = new IntervalSet();
  }

  *#storeInto(entry: BitmapEntry, refcounts: Refcounts): Steps {
    const { file, header, name } = this.#image;
    const { clusterSize } = this.#image;
    const table = yield* readBitmapTable(file, header, entry, name);
    checkBitmapTable(table, this.#image);
    const granularity = 2 ** entry.granularityBits;
    const coverage = clusterSize * 8 * granularity;
    for (let index = 0; index * 8 < table.byteLength; index += 1) {
      const end = Math.min((index + 1) * coverage, alignUp(header.size, granularity));
      const written = [...this.#written.intersect(index * coverage, Math.max(index * coverage, end))];
      if (written.length > 0) yield* this.#storeCluster(table, index, granularity, written, refcounts);
    }
    yield* refcounts.write();
    yield file.flush();
    yield file.write(new Uint8Array(table.buffer), entry.tableOffset);
    yield file.flush();
  }

  /** Sets bits in a cluster of a bitmap, and takes one where there was none. */
  *#storeCluster(
    table: DataView,
    index: number,
    granularity: number,
    written: readonly Interval[],
    refcounts: Refcounts,
  ): Steps {
    const { clusterSize, file } = this.#image;
    const [high, low] = [table.getUint32(index * 8), table.getUint32(index * 8 + 4)];
    let offset = hostOffsetOf(high, low);
    // All bits are set already.
    if (offset === 0 && (low & 1) === 1) return;
    const bytes = new Uint8Array(clusterSize);
    if (offset !== 0) yield file.read(bytes, offset);
    const bits = Bitmap.fromBytes(bytes, clusterSize * 8);
    const start = index * clusterSize * 8 * granularity;
    for (const range of written) {
      const first = Math.floor((range.offset - start) / granularity);
      bits.setRange(first, Math.min(bits.size, Math.ceil((range.end - start) / granularity)));
    }
    if (offset === 0) offset = (yield* refcounts.allocateRun(1)).first * clusterSize;
    yield file.write(bits.toBytes(), offset);
    table.setUint32(index * 8, Math.floor(offset / twoTo32));
    table.setUint32(index * 8 + 4, offset % twoTo32);
  }
}

/** Whether it is to be kept up to date, and was whole so far. */
function isKept({ extraData, flags, type }: BitmapEntry): boolean {
  const isKnown = type === dirtyTrackingType && extraData.length === 0;
  return isKnown && (flags & bitmapFlag.auto) !== 0 && (flags & bitmapFlag.inUse) === 0;
}
