import { answerOf, type Steps } from '../../block/run-steps.ts';
import { KeptBitmaps } from './bitmaps/kept-bitmaps.ts';
import { ChangeLock } from './change-lock.ts';
import type { ClusterData } from './cluster-data.ts';
import { contradiction } from './contradiction.ts';
import { autoclearFeature, compatibleFeature, incompatibleFeature } from './features.ts';
import type { ImageFile } from './image-file.ts';
import type { L1Table } from './l1-table.ts';
import { Refcounts } from './refcounts.ts';
import { TableCache } from './table-cache.ts';

const maximumCacheLength = 32 * 2 ** 20;
/** Runs of released clusters that are kept in memory at most. */
const maximumReleasedRuns = 4096;

/** A new cache for the L2 tables of an image. */
export function tableCacheFor(image: ImageFile): TableCache {
  const { clusterSize, file, name } = image;
  return new TableCache({ file, name, clusterSize, capacity: tableCapacity(image) });
}

/** How many L2 tables of an image are worth keeping. */
export function tableCapacity({ clusterSize, header }: ImageFile): number {
  return Math.max(1, Math.min(header.l1Size, Math.floor(maximumCacheLength / clusterSize)));
}

/** What `ImageTables` are made of. */
export interface ImageTablesParts {
  readonly image: ImageFile;
  readonly l1: L1Table;
  readonly tables: TableCache;
  readonly data: ClusterData;
}

/**
 * The tables of an image that is being changed: changes are made in memory, and `commit` writes them in an order that
 * leaves the image consistent, or with leaks, wherever it is cut off. All methods that return `Steps` are to be run by
 * one job at a time, through `lock.change`.
 */
export class ImageTables {
  readonly image: ImageFile;
  readonly l1: L1Table;
  readonly l2: TableCache;
  readonly refcounts: Refcounts;
  readonly data: ClusterData;
  readonly lock = new ChangeLock();
  /** Refcounts in the file may be wrong while the dirty bit is set. */
  readonly #isLazy: boolean;
  #hasBegun = false;
  /** From `begin` on, where the image has any that can be kept. */
  #bitmaps: KeptBitmaps | undefined;

  private constructor({ image, l1, tables, data }: ImageTablesParts, refcounts: Refcounts) {
    this.image = image;
    this.l1 = l1;
    this.l2 = tables;
    this.data = data;
    this.refcounts = refcounts;
    this.#isLazy =
      image.header.version === 3 && (image.header.compatibleFeatures & compatibleFeature.lazyRefcounts) !== 0n;
  }

  /**
   * Reads what changing an image needs beyond reading it. Nothing is written before `begin`.
   *
   * @throws VarveError `CORRUPT`
   */
  static *open(parts: ImageTablesParts): Steps<ImageTables> {
    return new ImageTables(parts, yield* Refcounts.open(parts.image));
  }

  /** Whether `begin` has been run. */
  get hasBegun(): boolean {
    return this.#hasBegun;
  }

  /** Whether something is not in the file, or not given back to it. */
  get isDirty(): boolean {
    const { l1, l2, refcounts } = this;
    return l1.isDirty || l2.changedCount > 0 || refcounts.isDirty || refcounts.releasedRunCount > 0;
  }

  /**
   * Says in the file, before anything is changed, that the disk is: features that would have to be kept up to date and
   * are not known here are switched off, and persistent bitmaps are marked as not up to date until `finish`.
   */
  *begin(): Steps {
    const { image } = this;
    const { autoclearFeatures, incompatibleFeatures } = image.header;
    this.#bitmaps = yield* KeptBitmaps.begin(image);
    const kept = this.#bitmaps === undefined ? 0n : autoclearFeature.bitmaps;
    const autoclear = autoclearFeatures & (autoclearFeature.rawExternalData | kept);
    const incompatible = incompatibleFeatures | (this.#isLazy ? incompatibleFeature.dirty : 0n);
    if (autoclear !== autoclearFeatures || incompatible !== incompatibleFeatures) {
      yield* image.changeFields({ autoclearFeatures: autoclear, incompatibleFeatures: incompatible });
      yield image.file.flush();
    }
    this.#hasBegun = true;
  }

  /**
   * The L2 table of an L1 index, to be changed; a new one where there is none, a copy where it is shared. Call
   * `l2.change` with what it gives once it has changed.
   */
  *changeableTable(l1Index: number): Steps<DataView> {
    const { image, l1, l2 } = this;
    const offset = l1.offsetOf(l1Index);
    if (offset !== 0 && l1.isExclusive(l1Index)) return yield* answerOf(l2.get(offset));
    const table = new DataView(new ArrayBuffer(image.clusterSize));
    if (offset !== 0) {
      const shared = yield* answerOf(l2.get(offset));
      new Uint8Array(table.buffer).set(new Uint8Array(shared.buffer));
    }
    const cluster = (yield* this.refcounts.allocateRun(1)).first;
    l2.add(cluster * image.clusterSize, table);
    l1.set(l1Index, cluster * image.clusterSize);
    if (offset !== 0) this.refcounts.release(offset / image.clusterSize, 1);
    return table;
  }

  /** Says that a table that `changeableTable` gave has changed. */
  change(l1Index: number, table: DataView): void {
    this.l2.change(this.l1.offsetOf(l1Index), table);
  }

  /**
   * That content does not go where the image's own structures are, as far as these are known: what says so is damaged,
   * and would be worse.
   *
   * @throws VarveError `CORRUPT`
   */
  refuseTables(hostOffset: number, length: number): void {
    const found = this.tableIn(hostOffset, length);
    if (found === undefined) return;
    throw contradiction(
      this.image.name,
      `a cluster of the disk lies in its ${found}, and is not written; run a check, and repair it`,
    );
  }

  /** Which of the image's own structures is in a range of the file, as far as they are known. */
  tableIn(hostOffset: number, length: number): string | undefined {
    if (this.data.isExternal) return undefined;
    const { clusterSize } = this.image;
    const first = Math.floor(hostOffset / clusterSize);
    const count = Math.ceil((hostOffset + length) / clusterSize) - first;
    let found = this.refcounts.tableAt(first, count);
    for (let cluster = first; found === undefined && cluster < first + count; cluster += 1) {
      if (this.l2.has(cluster * clusterSize)) found = 'L2 table';
    }
    return found;
  }

  /** Says in the file that it is damaged, so that nobody writes to it before it is repaired. Version 2 cannot say so. */
  *markCorrupt(): Steps {
    const { file, header } = this.image;
    if (header.version === 2 || (header.incompatibleFeatures & incompatibleFeature.corrupt) !== 0n) return;
    yield* this.image.changeFields({ incompatibleFeatures: header.incompatibleFeatures | incompatibleFeature.corrupt });
    yield file.flush();
  }

  /** Commits where more is waiting in memory than should be. */
  *commitIfFull(): Steps {
    if (this.l2.isFull || this.refcounts.releasedRunCount > maximumReleasedRuns) yield* this.commit();
  }

  /**
   * Makes everything durable: data and refcounts, then what refers to them; and then gives up what nothing refers to
   * any more. After a failure, all is still to be done.
   */
  *commit(): Steps {
    const { l1, l2, refcounts, image } = this;
    if (!this.#isLazy) yield* refcounts.write();
    const changesReferences = l1.isDirty || l2.changedCount > 0;
    if (changesReferences) {
      yield* l2.writeFresh();
      yield* this.#flush();
      yield* l2.writeChanged();
      yield* l1.write();
      yield image.file.flush();
      l2.settle();
      l1.settle();
    } else {
      yield* this.#flush();
    }
    if (refcounts.releasedRunCount === 0) return;
    yield this.lock.settled();
    yield* refcounts.applyReleases();
    if (!this.#isLazy) yield* refcounts.write();
  }

  /** Remembers for the image's bitmaps that a range of the disk is written; after `begin`. */
  noteWrite(offset: number, length: number): void {
    this.#bitmaps?.note(offset, length);
  }

  /** Leaves the image's bitmaps marked as not up to date, because the disk changes its size; after `begin`. */
  *giveUpBitmaps(): Steps {
    if (this.#bitmaps !== undefined) yield* this.#bitmaps.giveUp();
    this.#bitmaps = undefined;
  }

  /** Brings the file up to date before it is closed. */
  *finish(): Steps {
    const { image, refcounts } = this;
    if (!this.#hasBegun) return;
    if (this.isDirty) yield* this.commit();
    if (this.#bitmaps !== undefined) yield* this.#bitmaps.store(refcounts);
    this.#bitmaps = undefined;
    if (!this.#isLazy) return;
    yield* refcounts.write();
    yield image.file.flush();
    const { incompatibleFeatures } = image.header;
    yield* image.changeFields({ incompatibleFeatures: incompatibleFeatures & ~incompatibleFeature.dirty });
    yield image.file.flush();
    this.#hasBegun = false;
  }

  *#flush(): Steps {
    if (this.data.isExternal) yield this.data.file.flush();
    yield this.image.file.flush();
  }
}
