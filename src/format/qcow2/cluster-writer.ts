import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { answerOf, type Steps } from '../../block/run-steps.ts';
import { alignDown, alignUp } from '../../bytes/align.ts';
import { l2Coverage } from './check-header.ts';
import type { ClusterMap } from './cluster-map.ts';
import type { ImageTables } from './image-tables.ts';
import { L2Codec, type L2Entry, unitMask } from './l2-entry.ts';
import { releaseEntry } from './release-entry.ts';

/** What a `ClusterWriter` writes to. */
export interface ClusterWriterOptions {
  readonly tables: ImageTables;
  readonly map: ClusterMap;
  readonly backing: BlockDevice | undefined;
  /** Reads the disk as it is now. */
  readonly read: (target: Uint8Array, offset: number) => MaybePromise<void>;
}

/** Some clusters of one L2 table that are to be written, and where they go in the file. */
interface Placement {
  readonly table: DataView;
  readonly l1Index: number;
  /** The first one's entry. */
  readonly index: number;
  readonly count: number;
  /** The first one's guest offset, in bytes. */
  readonly start: number;
  /** The first one's place in the file; the others follow it. */
  readonly hostOffset: number;
  /** All of each cluster is written, not only the units that the source touches. */
  readonly isWhole: boolean;
  /** The first one's entry as it was. */
  readonly entry: L2Entry;
}

/**
 * Writes the disk. Its jobs run one at a time (`ImageTables.lock`), may start and end anywhere on the disk, and leave
 * the tables changed in memory.
 */
export class ClusterWriter {
  readonly #options: ClusterWriterOptions;
  readonly #tables: ImageTables;
  readonly codec: L2Codec;
  /** Guest bytes that are allocated, or read as zeros, on their own. */
  readonly unitSize: number;
  readonly #clusterSize: number;
  /** Guest bytes of one L2 table. */
  readonly #coverage: number;
  /** Writes that failed may have left something in the file up to here, past the end that it is known to have. */
  #soiledEnd = 0;

  constructor(options: ClusterWriterOptions) {
    this.#options = options;
    this.#tables = options.tables;
    const { image } = options.tables;
    this.codec = new L2Codec(image);
    this.#clusterSize = image.clusterSize;
    this.unitSize = image.clusterSize / this.codec.unitCount;
    this.#coverage = l2Coverage(image.header);
  }

  /** How much of the disk the backing file can give, in bytes. */
  get backingSize(): number {
    return this.#options.backing?.size ?? 0;
  }

  /** Reads the disk as it is now. */
  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#options.read(target, offset);
  }

  /** Writes all of `source` at guest byte `offset`. */
  *write(source: Uint8Array, offset: number): Steps {
    for (let done = 0; done < source.length; ) {
      const rest = done === 0 ? source : source.subarray(done);
      done += (yield* this.#writeInPlace(rest, offset + done)) ?? (yield* this.#writeSomewhere(rest, offset + done));
      yield* this.#tables.commitIfFull();
    }
  }

  /** The bytes that were written over what is there and belongs to nothing else; undefined where that is not so. */
  *#writeInPlace(source: Uint8Array, offset: number): Steps<number | undefined> {
    const run = yield* answerOf(this.#options.map.lookupExclusive(offset, source.length));
    if (run === undefined) return undefined;
    this.#tables.refuseTables(run.hostOffset, run.length);
    yield this.#tables.data.write(source.subarray(0, run.length), run.hostOffset, offset);
    return run.length;
  }

  /** Writes the first part of `source`, if need be into clusters that were given up and not yet given back. */
  *#writeSomewhere(source: Uint8Array, offset: number): Steps<number> {
    try {
      return yield* this.#writeNew(source, offset);
    } catch (error) {
      if (!isVarveError(error, 'NO_SPACE') || this.#tables.refcounts.releasedRunCount === 0) throw error;
    }
    yield* this.#tables.commit();
    return yield* this.#writeNew(source, offset);
  }

  /** Writes the first part of `source` into clusters, or units of one, that are not in use yet. */
  *#writeNew(source: Uint8Array, offset: number): Steps<number> {
    const l1Index = Math.floor(offset / this.#coverage);
    const table = yield* this.#tables.changeableTable(l1Index);
    const index = Math.floor((offset % this.#coverage) / this.#clusterSize);
    const start = alignDown(offset, this.#clusterSize);
    const entry = this.codec.decode(table, index);
    const at = { table, l1Index, index, start, entry };
    if (this.#tables.data.isExternal)
      return yield* this.#fill(source, offset, { ...at, count: 1, hostOffset: start, isWhole: false });
    if (entry.hostOffset !== undefined && entry.isExclusive) {
      return yield* this.#fill(source, offset, { ...at, count: 1, hostOffset: entry.hostOffset, isWhole: false });
    }
    const isWhole = entry.hostOffset !== undefined || entry.compressed !== undefined;
    const wanted = isWhole
      ? 1
      : this.#emptyClusters(table, index, Math.ceil((offset - start + source.length) / this.#clusterSize));
    const taken = yield* this.#tables.refcounts.allocateRun(wanted);
    try {
      const hostOffset = taken.first * this.#clusterSize;
      return yield* this.#fill(source, offset, { ...at, count: taken.count, hostOffset, isWhole });
    } catch (error) {
      this.#tables.refcounts.release(taken.first, taken.count);
      throw error;
    }
  }

  /** How many clusters from `index` on, up to `maximum`, have no place in the file. */
  #emptyClusters(table: DataView, index: number, maximum: number): number {
    const limit = Math.min(maximum, this.#clusterSize / this.codec.entryLength - index);
    for (let count = 0; count < limit; count += 1) {
      const { compressed, hostOffset } = this.codec.decode(table, index + count);
      if (hostOffset !== undefined || compressed !== undefined) return count;
    }
    return limit;
  }

  /** Writes as much of `source` as goes into the clusters, with what is around it, and points to them. */
  *#fill(source: Uint8Array, offset: number, placement: Placement): Steps<number> {
    const { count, entry, isWhole, start } = placement;
    this.#tables.refuseTables(placement.hostOffset, this.#clusterSize);
    const length = Math.min(source.length, start + count * this.#clusterSize - offset);
    const alignment = isWhole ? this.#clusterSize : this.unitSize;
    try {
      yield* this.#writeAround(source.subarray(0, length), offset, alignment, placement);
    } catch (error) {
      this.#soiledEnd = Math.max(this.#soiledEnd, placement.hostOffset + count * this.#clusterSize);
      throw error;
    }
    if (isWhole) releaseEntry(this.#tables, entry);
    const { codec } = this;
    const end = offset + length;
    for (let cluster = 0; cluster < count; cluster += 1) {
      const old = codec.decode(placement.table, placement.index + cluster);
      const units = this.#unitsIn(start + cluster * this.#clusterSize, offset, end);
      const allocated = (old.allocated | units) >>> 0;
      codec.encode(placement.table, placement.index + cluster, {
        hostOffset: placement.hostOffset + cluster * this.#clusterSize,
        allocated,
        zeros: (old.zeros & ~allocated) >>> 0,
      });
    }
    this.#tables.change(placement.l1Index, placement.table);
    return length;
  }

  /** The bits of the units of the cluster at guest byte `start` that a range touches. */
  #unitsIn(start: number, offset: number, end: number): number {
    const first = Math.max(0, Math.floor((offset - start) / this.unitSize));
    const last = Math.min(this.codec.unitCount, Math.ceil((end - start) / this.unitSize));
    return unitMask(first, last);
  }

  /** Writes `source`, and around it, up to multiples of `alignment`, what the disk holds there. */
  *#writeAround(source: Uint8Array, offset: number, alignment: number, placement: Placement): Steps {
    const { data, image } = this.#tables;
    const end = offset + source.length;
    const [first, last] = [alignDown(offset, alignment), alignUp(end, alignment)];
    const hostOffset = placement.hostOffset + first - placement.start;
    const clustersEnd = placement.hostOffset + placement.count * this.#clusterSize;
    const isNew = !data.isExternal && placement.hostOffset >= Math.max(image.file.size, this.#soiledEnd);
    if (isNew && data.isPlain && (yield* this.#isZero(first, offset)) && (yield* this.#isZero(end, last))) {
      yield data.write(source, hostOffset + offset - first, offset);
    } else {
      yield* this.#writeComposed(source, offset, { first, last, hostOffset });
    }
    // The file reads as zeros up to where it ends, and clusters end inside it.
    if (isNew && image.file.size < clustersEnd) yield image.file.write(new Uint8Array(1), clustersEnd - 1);
  }

  *#writeComposed(
    source: Uint8Array,
    offset: number,
    { first, hostOffset, last }: { readonly first: number; readonly last: number; readonly hostOffset: number },
  ): Steps {
    const { data } = this.#tables;
    const end = offset + source.length;
    if (first === offset && last === end) {
      yield data.write(source, hostOffset, first);
      return;
    }
    const whole = new Uint8Array(last - first);
    yield* this.#readOld(whole.subarray(0, offset - first), first);
    whole.set(source, offset - first);
    yield* this.#readOld(whole.subarray(end - first), end);
    yield data.write(whole, hostOffset, first);
  }

  /** Reads the disk into a buffer of zeros; past the disk's end there is nothing to be read. */
  *#readOld(target: Uint8Array, offset: number): Steps {
    const length = Math.min(target.length, this.#tables.image.header.size - offset);
    if (length > 0) yield this.#options.read(target.subarray(0, length), offset);
  }

  /** Whether the tables say that a range, which may go past the disk's end, reads as zeros. */
  *#isZero(offset: number, end: number): Steps<boolean> {
    const stop = Math.min(end, this.#tables.image.header.size);
    for (let position = offset; position < stop; ) {
      const run = yield* answerOf(this.#options.map.lookup(position, stop - position, false));
      const isZero = run.kind === 'zero' || (run.kind === 'unallocated' && this.isSilent(position));
      if (!isZero) return false;
      position += run.length;
    }
    return true;
  }

  /** Whether what is not allocated from a guest byte on reads as zeros. */
  isSilent(offset: number): boolean {
    return offset >= this.backingSize;
  }
}
