import type { BlockDevice } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import { diskPieces } from '../disk-pieces.ts';
import type { WriteImageOptions } from '../image-format.ts';
import type { ImageTarget } from '../image-target.ts';
import { type Allocation, allocationOf } from './allocation.ts';
import { encodeHeader } from './header.ts';
import { copiedBit, headerFor, type Layout, refcountClusters } from './layout.ts';

const twoTo32 = 0x1_0000_0000;

/** Cluster indexes of the parts of an image whose metadata comes first, in this order. */
interface Places {
  readonly refcountTable: number;
  readonly refcountTableClusters: number;
  readonly refcountBlocks: number;
  readonly refcountBlockCount: number;
  readonly l1Table: number;
  readonly l2Tables: number;
  readonly data: number;
  /** How many clusters there are in all. */
  readonly end: number;
}

/**
 * Writes an image from its first byte to its last: what the disk's extents call data is allocated, so all metadata is
 * known before any content is read.
 */
export async function streamQcow2(
  source: BlockDevice,
  target: ImageTarget,
  layout: Layout,
  options: WriteImageOptions,
): Promise<void> {
  const allocation = await allocationOf(source, layout);
  const places = placesFor(layout, allocation);
  let offset = 0;
  for (const bytes of metadata(layout, options, allocation, places)) {
    await target.write(bytes, offset);
    offset += bytes.length;
  }
  const { onProgress, signal } = options;
  const pieces = diskPieces(source, allocation.ranges(), { alignment: layout.clusterSize, signal });
  for await (const piece of pieces) {
    await target.write(piece.bytes, offset);
    offset += piece.bytes.length;
    onProgress?.(piece.offset + piece.length);
  }
  await target.finish(offset);
  onProgress?.(source.size);
}

function placesFor(layout: Layout, allocation: Allocation): Places {
  const l1Clusters = alignUp(layout.l1Size * 8, layout.clusterSize) / layout.clusterSize;
  const otherClusters = 1 + l1Clusters + allocation.tables.size + allocation.clusterCount;
  const { blockCount, tableClusters } = refcountClusters(layout, otherClusters);
  const refcountBlocks = 1 + tableClusters;
  const l1Table = refcountBlocks + blockCount;
  const l2Tables = l1Table + l1Clusters;
  return {
    refcountTable: 1,
    refcountTableClusters: tableClusters,
    refcountBlocks,
    refcountBlockCount: blockCount,
    l1Table,
    l2Tables,
    data: l2Tables + allocation.tables.size,
    end: otherClusters + blockCount + tableClusters,
  };
}

/** The header and all tables, each in whole clusters. */
function* metadata(
  layout: Layout,
  options: WriteImageOptions,
  allocation: Allocation,
  places: Places,
): Generator<Uint8Array, undefined> {
  const { clusterSize } = layout;
  yield encodeHeader(
    headerFor(layout, options, {
      l1TableOffset: places.l1Table * clusterSize,
      refcountTableOffset: places.refcountTable * clusterSize,
      refcountTableClusters: places.refcountTableClusters,
    }),
  );
  const blockIndexes = Array.from({ length: places.refcountBlockCount }, (_, index) => [index, index] as const);
  yield pointerTable(blockIndexes, places.refcountBlocks, places.refcountTableClusters * clusterSize, clusterSize, 0);
  yield* refcountBlocks(layout, places);
  const l1Entries = Array.from(allocation.tables.keys(), (l1Index, order) => [l1Index, order] as const);
  const l1Length = (places.l2Tables - places.l1Table) * clusterSize;
  yield pointerTable(l1Entries, places.l2Tables, l1Length, clusterSize, copiedBit);
  yield* l2Tables(layout, allocation, places);
}

/** A table of `length` bytes that points, at each index, to the cluster so many after `first`. */
function pointerTable(
  entries: readonly (readonly [index: number, clustersAfterFirst: number])[],
  first: number,
  length: number,
  clusterSize: number,
  flag: number,
): Uint8Array {
  const table = new DataView(new ArrayBuffer(length));
  for (const [index, clustersAfterFirst] of entries) {
    const offset = (first + clustersAfterFirst) * clusterSize;
    table.setUint32(index * 8, flag + Math.floor(offset / twoTo32));
    table.setUint32(index * 8 + 4, offset % twoTo32);
  }
  return new Uint8Array(table.buffer);
}

/** Every cluster up to the last is referred to once. */
function* refcountBlocks(layout: Layout, places: Places): Generator<Uint8Array, undefined> {
  const { refcountBlockEntries, clusterSize } = layout;
  for (let first = 0; first < places.end; first += refcountBlockEntries) {
    const block = new DataView(new ArrayBuffer(clusterSize));
    const count = Math.min(refcountBlockEntries, places.end - first);
    for (let index = 0; index < count; index += 1) block.setUint16(index * 2, 1);
    yield new Uint8Array(block.buffer);
  }
}

function* l2Tables(layout: Layout, allocation: Allocation, places: Places): Generator<Uint8Array, undefined> {
  let hostCluster = places.data;
  for (const clusters of allocation.tables.values()) {
    const entries: [number, number][] = [];
    for (let index = clusters.nextSet(0); index < clusters.size; index = clusters.nextSet(index + 1)) {
      entries.push([index, entries.length]);
    }
    yield pointerTable(entries, hostCluster, layout.clusterSize, layout.clusterSize, copiedBit);
    hostCluster += entries.length;
  }
}
