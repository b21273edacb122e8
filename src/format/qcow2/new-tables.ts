import type { BlockDevice } from '../../block/block-device.ts';
import type { Steps } from '../../block/run-steps.ts';
import { copiedBit, type Layout, refcountClusters } from './layout.ts';

/** Where the parts of an image that nothing was written to are, all in clusters; each follows the one before it. */
export interface NewPlaces {
  readonly refcountTable: number;
  readonly refcountTableCount: number;
  readonly refcountBlocks: number;
  readonly refcountBlockCount: number;
  readonly l1Table: number;
  readonly l2Tables: number;
  readonly l2TableCount: number;
  readonly data: number;
  readonly end: number;
}

/** Clusters of the disk that are allocated from the beginning, and whether they are in the image file itself. */
export interface Preallocation {
  readonly clusterCount: number;
  readonly isOutside: boolean;
}

/** Lays out a new image. */
export function placeTables(layout: Layout, { clusterCount, isOutside }: Preallocation): NewPlaces {
  const { clusterSize, l1Size } = layout;
  const l1Clusters = Math.ceil((l1Size * 8) / clusterSize);
  const l2TableCount = Math.ceil(clusterCount / layout.l2Entries);
  const ownData = isOutside ? 0 : clusterCount;
  const { blockCount, tableClusters } = refcountClusters(layout, 1 + l1Clusters + l2TableCount + ownData);
  const refcountBlocks = 1 + tableClusters;
  const l1Table = refcountBlocks + blockCount;
  const l2Tables = l1Table + l1Clusters;
  const data = l2Tables + l2TableCount;
  return {
    ...{ refcountTable: 1, refcountTableCount: tableClusters, refcountBlocks, refcountBlockCount: blockCount },
    ...{ l1Table, l2Tables, l2TableCount, data, end: data + ownData },
  };
}

/** Writes a new image's tables, one cluster at a time, into a file that is zeros. */
export function* writeTables(
  file: BlockDevice,
  layout: Layout,
  places: NewPlaces,
  preallocation: Preallocation,
): Steps {
  const { clusterSize, l1Size } = layout;
  const table = new DataView(new ArrayBuffer(places.refcountTableCount * clusterSize));
  for (let index = 0; index < places.refcountBlockCount; index += 1) {
    table.setBigUint64(index * 8, BigInt((places.refcountBlocks + index) * clusterSize));
  }
  yield file.write(new Uint8Array(table.buffer), places.refcountTable * clusterSize);
  yield* writeRefcounts(file, layout, places);
  if (places.l2TableCount === 0) return;
  const l1Table = new DataView(new ArrayBuffer(l1Size * 8));
  for (let index = 0; index < places.l2TableCount; index += 1) {
    putReference(l1Table, index * 8, (places.l2Tables + index) * clusterSize);
  }
  yield file.write(new Uint8Array(l1Table.buffer), places.l1Table * clusterSize);
  yield* writeL2Tables(file, layout, places, preallocation);
}

/** Every cluster up to the end is used once. */
function* writeRefcounts(file: BlockDevice, { clusterSize, refcountBlockEntries }: Layout, places: NewPlaces): Steps {
  const block = new DataView(new ArrayBuffer(clusterSize));
  for (let index = 0; index < places.refcountBlockCount; index += 1) {
    const count = Math.min(refcountBlockEntries, places.end - index * refcountBlockEntries);
    for (let entry = 0; entry < refcountBlockEntries; entry += 1) block.setUint16(entry * 2, entry < count ? 1 : 0);
    yield file.write(new Uint8Array(block.buffer), (places.refcountBlocks + index) * clusterSize);
  }
}

/** The clusters of the disk lie in its order; in a file of their own, each where it is on the disk. */
function* writeL2Tables(
  file: BlockDevice,
  { clusterSize, l2Entries }: Layout,
  places: NewPlaces,
  { clusterCount, isOutside }: Preallocation,
): Steps {
  const entryLength = clusterSize / l2Entries;
  const first = isOutside ? 0 : places.data;
  for (let index = 0; index < places.l2TableCount; index += 1) {
    const table = new DataView(new ArrayBuffer(clusterSize));
    const start = index * l2Entries;
    for (let entry = 0; entry < Math.min(l2Entries, clusterCount - start); entry += 1) {
      putReference(table, entry * entryLength, (first + start + entry) * clusterSize);
      // Of entries with subclusters: all 32 are allocated.
      if (entryLength === 16) table.setUint32(entry * 16 + 12, 0xffff_ffff);
    }
    yield file.write(new Uint8Array(table.buffer), (places.l2Tables + index) * clusterSize);
  }
}

function putReference(table: DataView, position: number, offset: number): void {
  table.setUint32(position, copiedBit + Math.floor(offset / 0x1_0000_0000));
  table.setUint32(position + 4, offset % 0x1_0000_0000);
}
