/*
 * Refcounts of a new image, 16 bits each: blocks of one cluster, and a table of 8-byte big-endian offsets of blocks.
 *
 * Source: QEMU docs/interop/qcow2.txt, section "Host cluster management".
 */
import { type Layout, refcountClusters } from './layout.ts';

/** Bytes that go to an offset of the file. */
export interface PlacedBytes {
  readonly bytes: Uint8Array;
  readonly offset: number;
}

/**
 * Counts the references to the clusters of a file that grows. A block is given out for writing as soon as it is known
 * not to change, so that memory does not grow with the file.
 */
export class RefcountWriter {
  readonly #layout: Layout;
  /** Blocks that may still change, by index; the first of them is `#firstOpen`. */
  readonly #open = new Map<number, DataView>();
  /** The offset of each block that was given out. */
  readonly #offsets: number[] = [];

  constructor(layout: Layout) {
    this.#layout = layout;
  }

  /** One more reference to each of `count` clusters from index `first` on. */
  add(first: number, count: number): void {
    const { refcountBlockEntries } = this.#layout;
    for (let index = first; index < first + count; index += 1) {
      const block = this.#block(Math.floor(index / refcountBlockEntries));
      const position = (index % refcountBlockEntries) * 2;
      block.setUint16(position, block.getUint16(position) + 1);
    }
  }

  /** Gives out the blocks all of whose clusters lie before index `end`; `allocate` finds a cluster for one. */
  *finished(end: number, allocate: () => number): Generator<PlacedBytes, undefined> {
    while ((this.#offsets.length + 1) * this.#layout.refcountBlockEntries <= end)
      yield this.#giveOut(allocate() * this.#layout.clusterSize);
  }

  /** Gives out all that is left, and the table last, for a file that has `clusterCount` clusters so far. */
  *rest(clusterCount: number): Generator<PlacedBytes, undefined> {
    const { clusterSize } = this.#layout;
    const writtenBlocks = this.#offsets.length;
    const { blockCount, tableClusters } = refcountClusters(this.#layout, clusterCount - writtenBlocks);
    const newBlocks = blockCount - writtenBlocks;
    this.add(clusterCount, newBlocks + tableClusters);
    for (let index = 0; index < newBlocks; index += 1) yield this.#giveOut((clusterCount + index) * clusterSize);
    const table = new DataView(new ArrayBuffer(tableClusters * clusterSize));
    for (const [index, offset] of this.#offsets.entries()) table.setBigUint64(index * 8, BigInt(offset));
    yield { bytes: new Uint8Array(table.buffer), offset: (clusterCount + newBlocks) * clusterSize };
  }

  #giveOut(offset: number): PlacedBytes {
    const index = this.#offsets.length;
    const block = this.#block(index);
    this.#open.delete(index);
    this.#offsets.push(offset);
    return { bytes: new Uint8Array(block.buffer), offset };
  }

  #block(index: number): DataView {
    const known = this.#open.get(index);
    if (known !== undefined) return known;
    const block = new DataView(new ArrayBuffer(this.#layout.clusterSize));
    this.#open.set(index, block);
    return block;
  }
}
