import type { MaybePromise } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import type { WriteImageOptions } from '../image-format.ts';
import type { ImageTarget } from '../image-target.ts';
import { compressedSectorLength, encodeCompressedEntry } from './cluster-entry.ts';
import { encodeHeader } from './header.ts';
import { copiedBit, headerFor, type Layout } from './layout.ts';
import { type PlacedBytes, RefcountWriter } from './refcount-writer.ts';

const twoTo32 = 0x1_0000_0000;

/**
 * Writes an image in one go: clusters in the order of the disk, each L2 table and refcount block when it is complete,
 * then the L1 table and the rest of the refcounts, and the header last, so that what was cut off is no image.
 */
export class ImageBuilder {
  readonly #layout: Layout;
  readonly #target: ImageTarget;
  readonly #options: WriteImageOptions;
  readonly #refcounts: RefcountWriter;
  readonly #l1Table: DataView;
  #l2Table: DataView;
  /** The L2 table being filled; -1 where none is. */
  #l1Index = -1;
  /** The first cluster of the file that nothing is in. */
  #nextCluster = 1;
  /** The next compressed cluster goes to this byte where it ends before `#packedEnd`. */
  #packedOffset = 0;
  #packedEnd = 0;
  /** Metadata that is complete and not written yet. */
  #finished: PlacedBytes[] = [];

  constructor(layout: Layout, target: ImageTarget, options: WriteImageOptions) {
    this.#layout = layout;
    this.#target = target;
    this.#options = options;
    this.#refcounts = new RefcountWriter(layout);
    this.#refcounts.add(0, 1);
    this.#l1Table = new DataView(new ArrayBuffer(alignUp(layout.l1Size * 8, layout.clusterSize)));
    this.#l2Table = new DataView(new ArrayBuffer(layout.clusterSize));
  }

  /** Stores whole clusters as they are; `diskOffset` is the first one's, and follows all that was added before. */
  async addPlain(diskOffset: number, bytes: Uint8Array): Promise<void> {
    const { clusterSize } = this.#layout;
    const count = bytes.length / clusterSize;
    const first = this.#allocate(count);
    this.#refcounts.add(first, count);
    for (let index = 0; index < count; index += 1) {
      const hostOffset = (first + index) * clusterSize;
      this.#setEntry(
        diskOffset + index * clusterSize,
        copiedBit + Math.floor(hostOffset / twoTo32),
        hostOffset % twoTo32,
      );
    }
    await this.#target.write(bytes, first * clusterSize);
    await this.#writeFinished();
  }

  /**
   * Finds the place for one compressed cluster of `length` bytes, and points to it. The caller writes the bytes to
   * the returned offset of the file, then calls `settle`.
   */
  placeCompressed(diskOffset: number, length: number): number {
    const offset = this.#packedPlace(length);
    const [high, low] = encodeCompressedEntry(offset, length, this.#layout.clusterBits);
    const { clusterSize } = this.#layout;
    const firstCluster = Math.floor(offset / clusterSize);
    const lastByte = alignUp(offset + length, compressedSectorLength) - 1;
    this.#refcounts.add(firstCluster, Math.floor(lastByte / clusterSize) - firstCluster + 1);
    this.#setEntry(diskOffset, high, low);
    return offset;
  }

  /** Writes compressed bytes to the place that was found for them. */
  write(bytes: Uint8Array, offset: number): MaybePromise<void> {
    return this.#target.write(bytes, offset);
  }

  /** Writes the metadata that is complete by now. */
  settle(): Promise<void> {
    return this.#writeFinished();
  }

  /** Completes the image. */
  async finish(): Promise<void> {
    this.#finishL2Table();
    const { clusterSize } = this.#layout;
    const l1Clusters = this.#l1Table.byteLength / clusterSize;
    const l1Table = this.#allocate(l1Clusters);
    this.#refcounts.add(l1Table, l1Clusters);
    this.#finished.push({ bytes: new Uint8Array(this.#l1Table.buffer), offset: l1Table * clusterSize });
    this.#finished.push(...this.#refcounts.rest(this.#nextCluster));
    const refcountTable = this.#finished.at(-1)!;
    await this.#writeAll();
    const places = {
      l1TableOffset: l1Table * clusterSize,
      refcountTableOffset: refcountTable.offset,
      refcountTableClusters: refcountTable.bytes.length / clusterSize,
    };
    await this.#target.write(encodeHeader(headerFor(this.#layout, this.#options, places)), 0);
    await this.#target.finish(refcountTable.offset + refcountTable.bytes.length);
  }

  #allocate(count: number): number {
    const first = this.#nextCluster;
    this.#nextCluster += count;
    return first;
  }

  /** Behind the last compressed cluster where there is room or the file ends there, else in new clusters. */
  #packedPlace(length: number): number {
    const { clusterSize } = this.#layout;
    if (this.#packedOffset + length > this.#packedEnd) {
      if (this.#packedEnd !== this.#nextCluster * clusterSize) {
        this.#packedOffset = this.#nextCluster * clusterSize;
        this.#packedEnd = this.#packedOffset;
      }
      const missing = this.#packedOffset + length - this.#packedEnd;
      this.#packedEnd += alignUp(missing, clusterSize);
      this.#allocate(alignUp(missing, clusterSize) / clusterSize);
    }
    const offset = this.#packedOffset;
    this.#packedOffset += length;
    return offset;
  }

  #setEntry(diskOffset: number, high: number, low: number): void {
    const { clusterSize, l2Entries } = this.#layout;
    const cluster = Math.floor(diskOffset / clusterSize);
    const l1Index = Math.floor(cluster / l2Entries);
    if (l1Index !== this.#l1Index) {
      this.#finishL2Table();
      this.#l1Index = l1Index;
    }
    const position = (cluster % l2Entries) * 8;
    this.#l2Table.setUint32(position, high);
    this.#l2Table.setUint32(position + 4, low);
  }

  #finishL2Table(): void {
    if (this.#l1Index === -1) return;
    const { clusterSize } = this.#layout;
    const cluster = this.#allocate(1);
    this.#refcounts.add(cluster, 1);
    const offset = cluster * clusterSize;
    this.#finished.push({ bytes: new Uint8Array(this.#l2Table.buffer), offset });
    this.#l1Table.setUint32(this.#l1Index * 8, copiedBit + Math.floor(offset / twoTo32));
    this.#l1Table.setUint32(this.#l1Index * 8 + 4, offset % twoTo32);
    this.#l2Table = new DataView(new ArrayBuffer(clusterSize));
    this.#l1Index = -1;
  }

  async #writeFinished(): Promise<void> {
    const { clusterSize } = this.#layout;
    // Compressed clusters may still go into clusters behind `#packedOffset`, once more than those are there.
    const settled = Math.min(this.#nextCluster, Math.floor(this.#packedOffset / clusterSize) || this.#nextCluster);
    for (const block of this.#refcounts.finished(settled, () => this.#allocateCounted())) this.#finished.push(block);
    await this.#writeAll();
  }

  #allocateCounted(): number {
    const cluster = this.#allocate(1);
    this.#refcounts.add(cluster, 1);
    return cluster;
  }

  async #writeAll(): Promise<void> {
    for (const { bytes, offset } of this.#finished) await this.#target.write(bytes, offset);
    this.#finished = [];
  }
}
