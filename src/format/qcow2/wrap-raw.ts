import type { BlockDevice } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import { dataRanges } from '../data-ranges.ts';
import { throwIfAborted } from '../disk-pieces.ts';
import type { WriteImageOptions } from '../image-format.ts';
import { encodeHeader } from './header.ts';
import { copiedBit, headerFor, type Layout, layoutFor } from './layout.ts';
import { RefcountWriter } from './refcount-writer.ts';

const twoTo32 = 0x1_0000_0000;
/** What every disk writes whole or not at all, in bytes; the header needs no more. */
const wrapHeaderLength = 512;

/** What is left to do to a raw file so that it is a qcow2 image. */
export interface WrappedRaw {
  /** The first bytes of the image, `wrapHeaderLength` of them; nothing else of the file changes. */
  readonly header: Uint8Array;
  /** Where the image ends in the file, in bytes. */
  readonly end: number;
}

/** A raw file that is to become an image. */
export interface WrapRawOptions
  extends Pick<WriteImageOptions, 'clusterSize' | 'compression' | 'onProgress' | 'signal'> {
  /** Writes behind the disk's last cluster. */
  readonly write: (bytes: Uint8Array, offset: number) => void | Promise<void>;
}

/**
 * Makes a qcow2 image of a raw file around the disk that stands in it: every cluster stays where it is, but the first,
 * whose place the header takes and which is copied behind the disk, where the tables go, too. Until the header is written
 * over the start of the file, which is up to the caller, it is a raw file with something behind its end.
 *
 * @throws VarveError `INVALID` for a cluster size that does not fit, `ABORTED`, and what `disk` and `write` throw
 */
export async function wrapRaw(disk: BlockDevice, options: WrapRawOptions): Promise<WrappedRaw> {
  const { onProgress, signal } = options;
  const layout = layoutFor(disk.size, options);
  const wrapper = new RawWrapper(layout, disk.size, options.write);
  for await (const { length, offset } of dataRanges(disk, layout.clusterSize)) {
    throwIfAborted(signal);
    const end = Math.ceil((offset + length) / layout.clusterSize);
    for (let first = offset / layout.clusterSize; first < end; ) first = await wrapper.addRun(disk, first, end);
    onProgress?.(offset + length);
  }
  const places = await wrapper.finish();
  const header = encodeHeader(headerFor(layout, options, places)).subarray(0, wrapHeaderLength);
  return { header, end: places.end };
}

class RawWrapper {
  readonly #layout: Layout;
  readonly #write: WrapRawOptions['write'];
  readonly #refcounts: RefcountWriter;
  readonly #l1Table: DataView;
  #l2Table: DataView;
  /** The L2 table being filled; -1 where none is. */
  #l1Index = -1;
  /** The first cluster of the file that nothing is in. */
  #nextCluster: number;

  constructor(layout: Layout, diskSize: number, write: WrapRawOptions['write']) {
    this.#layout = layout;
    this.#write = write;
    this.#refcounts = new RefcountWriter(layout);
    this.#refcounts.add(0, 1);
    this.#l1Table = new DataView(new ArrayBuffer(alignUp(layout.l1Size * 8, layout.clusterSize)));
    this.#l2Table = new DataView(new ArrayBuffer(layout.clusterSize));
    this.#nextCluster = Math.max(1, Math.ceil(diskSize / layout.clusterSize));
  }

  /** Takes clusters from index `first` on, to before `end` or the end of their L2 table, and returns what is next. */
  async addRun(disk: BlockDevice, first: number, end: number): Promise<number> {
    const { clusterSize, l2Entries } = this.#layout;
    const l1Index = Math.floor(first / l2Entries);
    const stop = Math.min(end, (l1Index + 1) * l2Entries);
    if (l1Index !== this.#l1Index) {
      await this.#finishTable();
      this.#l1Index = l1Index;
    }
    for (let cluster = first; cluster < stop; cluster += 1) {
      if (cluster === 0) this.#setEntry(0, await this.#moveFirst(disk));
      else this.#setEntry(cluster, cluster * clusterSize);
    }
    if (stop > Math.max(first, 1)) this.#refcounts.add(Math.max(first, 1), stop - Math.max(first, 1));
    for (const { bytes, offset } of this.#refcounts.finished(stop, () => this.#allocate(1))) {
      await this.#write(bytes, offset);
    }
    return stop;
  }

  /** Writes all tables that are left. The last cluster of the file is a whole one. */
  async finish() {
    const { clusterSize } = this.#layout;
    await this.#finishTable();
    const l1Bytes = new Uint8Array(this.#l1Table.buffer);
    const l1TableOffset = this.#allocate(l1Bytes.length / clusterSize) * clusterSize;
    await this.#write(l1Bytes, l1TableOffset);
    let last = { offset: 0, length: 0 };
    for (const { bytes, offset } of this.#refcounts.rest(this.#nextCluster)) {
      await this.#write(bytes, offset);
      last = { offset, length: bytes.length };
    }
    const refcountTableClusters = last.length / clusterSize;
    return { l1TableOffset, refcountTableOffset: last.offset, refcountTableClusters, end: last.offset + last.length };
  }

  /** Copies the disk's first cluster to where it is to be, and returns that place in bytes. */
  async #moveFirst(disk: BlockDevice): Promise<number> {
    const { clusterSize } = this.#layout;
    const content = new Uint8Array(clusterSize);
    await disk.read(content.subarray(0, Math.min(clusterSize, disk.size)), 0);
    const offset = this.#allocate(1) * clusterSize;
    await this.#write(content, offset);
    return offset;
  }

  async #finishTable(): Promise<void> {
    if (this.#l1Index < 0) return;
    const offset = this.#allocate(1) * this.#layout.clusterSize;
    await this.#write(new Uint8Array(this.#l2Table.buffer), offset);
    setOffset(this.#l1Table, this.#l1Index, offset);
    this.#l2Table = new DataView(new ArrayBuffer(this.#layout.clusterSize));
    this.#l1Index = -1;
  }

  #setEntry(cluster: number, hostOffset: number): void {
    setOffset(this.#l2Table, cluster % this.#layout.l2Entries, hostOffset);
  }

  #allocate(count: number): number {
    const first = this.#nextCluster;
    this.#nextCluster += count;
    this.#refcounts.add(first, count);
    return first;
  }
}

function setOffset(table: DataView, index: number, offset: number): void {
  table.setUint32(index * 8, copiedBit + Math.floor(offset / twoTo32));
  table.setUint32(index * 8 + 4, offset % twoTo32);
}
