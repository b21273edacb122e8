import { VarveError } from '../../base/varve-error.ts';
import { isResizable } from '../../block/block-device.ts';
import type { Steps } from '../../block/run-steps.ts';
import { contradiction } from './contradiction.ts';
import type { ImageFile } from './image-file.ts';
import { RefcountBlocks } from './refcount-blocks.ts';
import { type RefcountCodec, refcountCodec } from './refcount-codec.ts';

/** Some clusters of a file, one after the other, by index. */
export interface HostClusters {
  readonly first: number;
  readonly count: number;
}

/**
 * How often each cluster of an image's file is referred to, and which are free.
 *
 * The contract with those who change tables that refer to clusters, so that a file that is cut off at any write has
 * leaks at most:
 *
 * 1. take clusters (`allocateRun`, `allocateContiguous`, `add`), and write what they hold;
 * 2. `write`, then flush the file;
 * 3. write the references to them, and take away others; flush again;
 * 4. hand every reference that was taken away to `release`, at any time before;
 * 5. `applyReleases`, which lowers the refcounts, gives what is free then back to the file system, and lets it be
 *    taken again. Its result may be written at any time.
 *
 * `ImageTables.commit` does 2, 3 and 5 for L1 and L2 tables, and is what most callers want. All methods that
 * return `Steps` are to be run by one job at a time, which holds the image's `ChangeLock`.
 */
export class Refcounts {
  readonly #image: ImageFile;
  readonly #blocks: RefcountBlocks;
  readonly #codec: RefcountCodec;
  /** No cluster before this one is taken. */
  readonly #from: number;
  /** No cluster from `#from` up to this one is free. */
  #cursor: number;
  #released: HostClusters[] = [];

  private constructor(image: ImageFile, blocks: RefcountBlocks, from: number) {
    this.#image = image;
    this.#blocks = blocks;
    this.#from = from;
    this.#cursor = from;
    this.#codec = refcountCodec(image.header.refcountOrder);
  }

  /**
   * Reads the refcount table of an image. Clusters before the index `from` will not be taken, even if they are free.
   *
   * @throws VarveError `CORRUPT`
   */
  static *open(image: ImageFile, from = 1): Steps<Refcounts> {
    return new Refcounts(image, yield* RefcountBlocks.open(image), from);
  }

  /** Whether there is something to write; what was only released does not count. */
  get isDirty(): boolean {
    return this.#blocks.isDirty;
  }

  /** How many runs of clusters wait for `applyReleases`. */
  get releasedRunCount(): number {
    return this.#released.length;
  }

  /** The refcount of a cluster, without what waits for `applyReleases`. */
  *get(cluster: number): Steps<number> {
    const { entriesPerBlock } = this.#blocks;
    const block = yield* this.#blocks.load(Math.floor(cluster / entriesPerBlock));
    return block === undefined ? 0 : this.#codec.get(block.view, cluster % entriesPerBlock);
  }

  /** What part of the image's structures, L2 tables aside, is in some clusters; undefined where there is none. */
  tableAt(first: number, count: number): string | undefined {
    const { clusterSize, header } = this.#image;
    const has = (offset: number, length: number): boolean =>
      length > 0 && offset < (first + count) * clusterSize && offset + length > first * clusterSize;
    if (first === 0) return 'header';
    if (has(header.l1TableOffset, header.l1Size * 8)) return 'L1 table';
    if (has(header.refcountTableOffset, header.refcountTableClusters * clusterSize)) return 'refcount table';
    if (has(header.snapshotsOffset, header.snapshotCount)) return 'snapshot table';
    for (let cluster = first; cluster < first + count; cluster += 1) {
      if (this.#blocks.isBlockAt(cluster * clusterSize)) return 'refcount block';
    }
    return undefined;
  }

  /** The last cluster that is in use. */
  *lastUsed(): Steps<number> {
    const { end, entriesPerBlock } = this.#blocks;
    for (let index = end - 1; index >= 0; index -= 1) {
      const block = yield* this.#blocks.load(index);
      for (let entry = entriesPerBlock - 1; block !== undefined && entry >= 0; entry -= 1) {
        if (this.#codec.get(block.view, entry) > 0) return index * entriesPerBlock + entry;
      }
    }
    return 0;
  }

  /**
   * Takes 1 to `maximum` free clusters that follow each other; their refcounts are 1.
   *
   * @throws VarveError `NO_SPACE`, `CORRUPT`
   */
  *allocateRun(maximum: number): Steps<HostClusters> {
    const run = yield* this.#takeRun(this.#cursor, maximum);
    this.#cursor = run.first + run.count;
    return run;
  }

  /**
   * Takes `count` free clusters that follow each other, for a table; gives the first one's index.
   *
   * @throws VarveError `NO_SPACE`, `CORRUPT`
   */
  *allocateContiguous(count: number): Steps<number> {
    if (count === 1) return (yield* this.allocateRun(1)).first;
    const first = yield* this.#findContiguous(count);
    const end = first + count;
    const { entriesPerBlock } = this.#blocks;
    // Blocks that are missing go behind it.
    for (let index = Math.floor(first / entriesPerBlock); index * entriesPerBlock < end; index += 1) {
      if (this.#blocks.has(index)) continue;
      const place = yield* this.#takeRun(end, 1);
      if (!this.#blocks.has(index)) yield* this.#blocks.add(index, place.first * this.#image.clusterSize);
      else yield* this.#add(place.first, 1, -1);
    }
    yield* this.#add(first, count, 1);
    this.#checkPlace(first, count);
    return first;
  }

  /**
   * Adds a reference to each of `count` clusters from `first` on, which are in use already.
   *
   * @throws VarveError `UNSUPPORTED` where a refcount cannot be so high, `CORRUPT` where it was 0
   */
  *add(first: number, count: number): Steps {
    yield* this.#add(first, count, 1, true);
  }

  /** Remembers that one reference less to each of these clusters will be there after the next flush of the tables. */
  release(first: number, count: number): void {
    const last = this.#released.at(-1);
    if (last !== undefined && last.first + last.count === first) {
      this.#released[this.#released.length - 1] = { first: last.first, count: last.count + count };
    } else {
      this.#released.push({ first, count });
    }
  }

  /** Writes all refcounts. Flush afterwards, before anything refers to clusters that were taken. */
  *write(): Steps {
    const { header, clusterSize } = this.#image;
    let clusters = this.#blocks.missingTableClusters();
    if (clusters === undefined) return yield* this.#blocks.write();
    for (;;) {
      const first = yield* this.allocateContiguous(clusters);
      // Its own refcounts may have taken further blocks.
      const needed = this.#blocks.missingTableClusters() ?? 0;
      if (this.#blocks.end * 8 <= clusters * clusterSize) {
        yield* this.#blocks.write({ offset: first * clusterSize, clusters });
        this.release(header.refcountTableOffset / clusterSize, header.refcountTableClusters);
        return;
      }
      yield* this.#add(first, clusters, -1);
      clusters = needed;
    }
  }

  /**
   * Lowers the refcounts of what was released by now; nothing durable may refer to it any more, and nobody may be
   * reading it. Clusters that are free then are trimmed in the file. To be written by a later `write`.
   */
  *applyReleases(): Steps {
    const released = joined(this.#released);
    this.#released = [];
    for (const [index, { first, count }] of released.entries()) {
      try {
        yield* this.#add(first, count, -1);
      } catch (error) {
        this.#released.push(...released.slice(index + 1));
        throw error;
      }
    }
  }

  /** The first run of free clusters from `from` on, taken. */
  *#takeRun(from: number, maximum: number): Steps<HostClusters> {
    const { entriesPerBlock } = this.#blocks;
    for (let cluster = from; ; ) {
      const index = Math.floor(cluster / entriesPerBlock);
      const start = index * entriesPerBlock;
      const block = yield* this.#blocks.load(index);
      if (block === undefined) {
        yield* this.#addOwnBlock(index, cluster);
        continue;
      }
      const first = this.#next(block.view, cluster - start, entriesPerBlock, true);
      const end = this.#next(block.view, first, Math.min(entriesPerBlock, first + maximum), false);
      if (end === first) {
        cluster = start + entriesPerBlock;
        continue;
      }
      this.#checkPlace(start + first, end - first);
      for (let entry = first; entry < end; entry += 1) this.#codec.set(block.view, entry, 1);
      block.dirty = true;
      return { first: start + first, count: end - first };
    }
  }

  /** Adds a block that counts itself, at `cluster`, which is one of those that it counts. */
  *#addOwnBlock(index: number, cluster: number): Steps {
    this.#checkPlace(cluster, 1);
    const block = yield* this.#blocks.add(index, cluster * this.#image.clusterSize);
    this.#codec.set(block.view, cluster % this.#blocks.entriesPerBlock, 1);
  }

  /** The first entry from `from` on, before `end`, that is free or is not; `end` where there is none. */
  #next(view: DataView, from: number, end: number, free: boolean): number {
    for (let entry = from; entry < end; entry += 1) {
      if ((this.#codec.get(view, entry) === 0) === free) return entry;
    }
    return end;
  }

  /** The first of `count` free clusters one after the other; clusters that have no block yet are free. */
  *#findContiguous(count: number): Steps<number> {
    const { entriesPerBlock } = this.#blocks;
    let first = this.#cursor;
    for (let cluster = first; cluster < first + count; ) {
      const index = Math.floor(cluster / entriesPerBlock);
      const start = index * entriesPerBlock;
      if (index >= this.#blocks.end) break;
      const block = yield* this.#blocks.load(index);
      const stop = Math.min(entriesPerBlock, first + count - start);
      const taken = block === undefined ? stop : this.#next(block.view, cluster - start, stop, false);
      cluster = start + taken;
      if (taken === stop) continue;
      first = start + this.#next(block!.view, taken, entriesPerBlock, true);
      cluster = first;
    }
    return first;
  }

  *#add(first: number, count: number, change: 1 | -1, inUse = change === -1): Steps {
    const { entriesPerBlock } = this.#blocks;
    for (let cluster = first; cluster < first + count; ) {
      const index = Math.floor(cluster / entriesPerBlock);
      const end = Math.min(first + count, (index + 1) * entriesPerBlock);
      const block = yield* this.#blocks.load(index);
      if (block === undefined) throw this.#unused(cluster);
      block.dirty = true;
      let freeFrom = cluster;
      for (; cluster < end; cluster += 1) {
        if (this.#change(block.view, cluster, change, inUse) === 0) continue;
        yield* this.#trim(freeFrom, cluster);
        freeFrom = cluster + 1;
      }
      yield* this.#trim(freeFrom, end);
    }
  }

  /** Gives the new refcount. */
  #change(view: DataView, cluster: number, change: 1 | -1, inUse: boolean): number {
    const entry = cluster % this.#blocks.entriesPerBlock;
    const refcount = this.#codec.get(view, entry);
    if (inUse && refcount === 0) throw this.#unused(cluster);
    if (refcount + change > this.#codec.maximum) throw this.#tooMany(cluster);
    this.#codec.set(view, entry, refcount + change);
    return refcount + change;
  }

  /** Gives free clusters back to the file system, and to those who look for some. */
  *#trim(first: number, end: number): Steps {
    if (first >= end) return;
    const { clusterSize, file } = this.#image;
    this.#cursor = Math.max(this.#from, Math.min(this.#cursor, first));
    const fileEnd = Math.min(end * clusterSize, file.size);
    if (file.supports.trim && fileEnd > first * clusterSize) {
      yield file.trim(first * clusterSize, fileEnd - first * clusterSize);
    }
  }

  /** That what is said to be free is no part of the image, which is then damaged, and would be worse. */
  #checkPlace(first: number, count: number): void {
    const { clusterSize, file, name } = this.#image;
    const found = this.tableAt(first, count);
    if (found !== undefined) {
      throw contradiction(name, `its ${found} lies in clusters that are marked as free; run a check, and repair it`);
    }
    if (!isResizable(file) && (first + count) * clusterSize > file.size) {
      throw new VarveError('NO_SPACE', `cannot write ${name}: it is full, and what it lies on cannot grow`);
    }
  }

  #unused(cluster: number): VarveError {
    const { clusterSize, name } = this.#image;
    const where = `the cluster at byte ${cluster * clusterSize} is in use`;
    return contradiction(name, `${where}, and its refcount is 0; run a check, and repair it`);
  }

  #tooMany(cluster: number): VarveError {
    const { clusterSize, name } = this.#image;
    const where = `the cluster at byte ${cluster * clusterSize}`;
    return new VarveError(
      'UNSUPPORTED',
      `cannot write ${name}: refcounts of ${this.#codec.bits} bits are too narrow for ${where}`,
    );
  }
}

/** Runs in the order of the file, those that follow each other made one, so that they are given back in one piece. */
function joined(runs: HostClusters[]): HostClusters[] {
  const result: HostClusters[] = [];
  for (const run of runs.sort((one, two) => one.first - two.first)) {
    const last = result.at(-1);
    if (last === undefined || last.first + last.count !== run.first) result.push(run);
    else result[result.length - 1] = { first: last.first, count: last.count + run.count };
  }
  return result;
}
