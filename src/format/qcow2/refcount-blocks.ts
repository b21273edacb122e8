/*
 * The refcount table: offsets of refcount blocks, 8 bytes each, big-endian, bits 9–63; 0 where a block's refcounts are
 * all 0. A block is one cluster of refcounts, one for each cluster of the file in order.
 *
 * Source: QEMU docs/interop/qcow2.txt, section "Host cluster management".
 */
import { VarveError } from '../../base/varve-error.ts';
import type { Steps } from '../../block/run-steps.ts';
import { corruptImage } from '../image-errors.ts';
import type { ImageFile } from './image-file.ts';

/** A block in memory; it may be written back, and read anew, at any `yield`. */
export interface RefcountBlock {
  /** Which of the table's entries it is. */
  readonly index: number;
  readonly view: DataView;
  dirty: boolean;
}

const maximumCacheLength = 4 * 2 ** 20;
const minimumCachedBlocks = 4;
const maximumTableLength = 8 * 2 ** 20;
const twoTo32 = 0x1_0000_0000;

/**
 * Keeps the refcount table and the blocks that were used last. A changed block may be written at any time: whoever
 * lowers a refcount has to know already that nothing durable refers to the cluster.
 */
export class RefcountBlocks {
  /** How many refcounts a block has. */
  readonly entriesPerBlock: number;
  readonly #image: ImageFile;
  /** Offsets of blocks by index, as they will be in the file after `write`. */
  #offsets: Float64Array;
  /** One more than the highest index that has a block. */
  #end = 0;
  readonly #cached = new Map<number, RefcountBlock>();
  readonly #capacity: number;
  /** Blocks that the table in the file does not point to yet. */
  readonly #unlinked = new Set<number>();
  /** Where the blocks were at first, in order, and where those added since are. */
  readonly #oldPlaces: Float64Array;
  readonly #newPlaces = new Set<number>();

  private constructor(image: ImageFile, offsets: Float64Array) {
    this.#image = image;
    this.#offsets = offsets;
    this.entriesPerBlock = (image.clusterSize * 8) / 2 ** image.header.refcountOrder;
    this.#capacity = Math.max(minimumCachedBlocks, Math.floor(maximumCacheLength / image.clusterSize));
    this.#end = offsets.findLastIndex((offset) => offset !== 0) + 1;
    this.#oldPlaces = offsets.filter((offset) => offset !== 0).sort();
  }

  /**
   * Reads the table that the header points to.
   *
   * @throws VarveError `CORRUPT` where an entry is no offset of a cluster
   */
  static *open(image: ImageFile): Steps<RefcountBlocks> {
    const bytes = new Uint8Array(image.header.refcountTableClusters * image.clusterSize);
    yield image.file.read(bytes, image.header.refcountTableOffset);
    const view = new DataView(bytes.buffer);
    const offsets = new Float64Array(bytes.length / 8);
    for (let index = 0; index < offsets.length; index += 1) {
      const offset = view.getUint32(index * 8) * twoTo32 + view.getUint32(index * 8 + 4);
      if (offset % image.clusterSize !== 0 || offset > Number.MAX_SAFE_INTEGER) {
        throw corruptImage(image.name, `entry ${index} of its refcount table is ${offset}, which starts no cluster`);
      }
      offsets[index] = offset;
    }
    return new RefcountBlocks(image, offsets);
  }

  /** One more than the highest index that has a block. */
  get end(): number {
    return this.#end;
  }

  /** Whether something has changed that is not in the file. */
  get isDirty(): boolean {
    return this.#unlinked.size > 0 || this.#cached.values().some(({ dirty }) => dirty);
  }

  /** Whether a block starts at byte `offset` of the file. */
  isBlockAt(offset: number): boolean {
    return this.#newPlaces.has(offset) || isIn(this.#oldPlaces, offset);
  }

  has(index: number): boolean {
    return this.#offsetOf(index) !== 0;
  }

  /**
   * The block of that index; undefined where there is none.
   *
   * @throws VarveError `CORRUPT` where it is past the end of the file
   */
  *load(index: number): Steps<RefcountBlock | undefined> {
    const cached = this.#cached.get(index);
    if (cached !== undefined) return cached;
    const offset = this.#offsetOf(index);
    if (offset === 0) return undefined;
    const { clusterSize, file, name } = this.#image;
    if (offset + clusterSize > file.size) {
      throw corruptImage(name, `its refcount block at byte ${offset} lies past the end of the file`);
    }
    const bytes = new Uint8Array(clusterSize);
    yield file.read(bytes, offset);
    return yield* this.#keep({ index, view: new DataView(bytes.buffer), dirty: false });
  }

  /**
   * Adds a block of zeros, which will be at byte `offset` of the file.
   *
   * @throws VarveError `NO_SPACE` where the table cannot be so long
   */
  *add(index: number, offset: number): Steps<RefcountBlock> {
    if (index * 8 >= maximumTableLength) {
      const { name } = this.#image;
      throw new VarveError('NO_SPACE', `cannot write ${name}: a qcow2 image with such clusters cannot be larger`);
    }
    if (index >= this.#offsets.length) {
      const longer = new Float64Array(Math.max(index + 1, this.#offsets.length * 2));
      longer.set(this.#offsets);
      this.#offsets = longer;
    }
    this.#offsets[index] = offset;
    this.#end = Math.max(this.#end, index + 1);
    this.#newPlaces.add(offset);
    this.#unlinked.add(index);
    return yield* this.#keep({ index, view: new DataView(new ArrayBuffer(this.#image.clusterSize)), dirty: true });
  }

  /** How many clusters a longer table needs that is to hold what there is now, and some more; undefined if it fits. */
  missingTableClusters(): number | undefined {
    const { clusterSize, header } = this.#image;
    if (this.#end * 8 <= header.refcountTableClusters * clusterSize) return undefined;
    const clusters = Math.ceil((this.#end * 8 * 1.5) / clusterSize) + 1;
    return Math.max(Math.ceil((this.#end * 8) / clusterSize), Math.min(clusters, maximumTableLength / clusterSize));
  }

  /**
   * Writes what has changed. `newTable` is where a longer table may go, if one is needed. New blocks are flushed
   * before anything points to them; what is written last is not flushed.
   */
  *write(newTable?: { readonly offset: number; readonly clusters: number }): Steps {
    for (const block of this.#cached.values()) yield* this.#writeBack(block);
    if (this.#unlinked.size === 0 && newTable === undefined) return;
    if (newTable !== undefined) yield* this.#writeTable(newTable.offset, newTable.clusters);
    yield this.#image.file.flush();
    if (newTable === undefined) yield* this.#linkBlocks();
    else {
      const { offset, clusters } = newTable;
      yield* this.#image.changeFields({ refcountTableOffset: offset, refcountTableClusters: clusters });
    }
    this.#unlinked.clear();
  }

  *#writeTable(offset: number, clusters: number): Steps {
    const table = new DataView(new ArrayBuffer(clusters * this.#image.clusterSize));
    for (let index = 0; index < this.#end; index += 1) putOffset(table, index * 8, this.#offsets[index]!);
    yield this.#image.file.write(new Uint8Array(table.buffer), offset);
  }

  *#linkBlocks(): Steps {
    const { file, header } = this.#image;
    for (const index of this.#unlinked) {
      const entry = new DataView(new ArrayBuffer(8));
      putOffset(entry, 0, this.#offsets[index]!);
      yield file.write(new Uint8Array(entry.buffer), header.refcountTableOffset + index * 8);
    }
  }

  *#keep(block: RefcountBlock): Steps<RefcountBlock> {
    while (this.#cached.size >= this.#capacity) {
      const oldest = this.#cached.values().next().value!;
      yield* this.#writeBack(oldest);
      this.#cached.delete(oldest.index);
    }
    this.#cached.set(block.index, block);
    return block;
  }

  *#writeBack(block: RefcountBlock): Steps {
    if (!block.dirty) return;
    yield this.#image.file.write(new Uint8Array(block.view.buffer), this.#offsetOf(block.index));
    block.dirty = false;
  }

  #offsetOf(index: number): number {
    return index < this.#offsets.length ? this.#offsets[index]! : 0;
  }
}

/** Whether a sorted array holds a number. */
function isIn(sorted: Float64Array, value: number): boolean {
  let [start, end] = [0, sorted.length];
  while (start < end) {
    const middle = (start + end) >>> 1;
    if (sorted[middle]! < value) start = middle + 1;
    else end = middle;
  }
  return sorted[start] === value;
}

function putOffset(view: DataView, position: number, offset: number): void {
  view.setUint32(position, Math.floor(offset / twoTo32));
  view.setUint32(position + 4, offset % twoTo32);
}
