import type { BlockDevice } from '../../block/block-device.ts';
import { Bitmap } from '../../bytes/bitmap.ts';
import { type DiskRange, dataRanges } from '../data-ranges.ts';
import type { Layout } from './layout.ts';

/** Which clusters of a disk hold data, in memory for what is allocated only. */
export interface Allocation {
  /** For each L2 table that is needed, by index in ascending order, the entries that are. */
  readonly tables: ReadonlyMap<number, Bitmap>;
  readonly clusterCount: number;
  /** The bytes of all those clusters, in order, up to the disk's end. */
  ranges(): Iterable<DiskRange>;
}

/** The allocation that a disk's extents ask for. */
export async function allocationOf(source: BlockDevice, layout: Layout): Promise<Allocation> {
  const { clusterSize } = layout;
  const tables = new Map<number, Bitmap>();
  let clusterCount = 0;
  for await (const { length, offset } of dataRanges(source, clusterSize)) {
    const end = Math.ceil((offset + length) / clusterSize);
    clusterCount += end - offset / clusterSize;
    setClusters(tables, layout, offset / clusterSize, end);
  }
  return { tables, clusterCount, ranges: () => rangesOf(tables, layout, source.size) };
}

function setClusters(tables: Map<number, Bitmap>, { l2Entries }: Layout, first: number, end: number): void {
  for (let cluster = first; cluster < end; ) {
    const l1Index = Math.floor(cluster / l2Entries);
    const tableStart = l1Index * l2Entries;
    const stop = Math.min(end, tableStart + l2Entries);
    const clusters = tables.get(l1Index) ?? new Bitmap(l2Entries);
    clusters.setRange(cluster - tableStart, stop - tableStart);
    tables.set(l1Index, clusters);
    cluster = stop;
  }
}

function* rangesOf(
  tables: ReadonlyMap<number, Bitmap>,
  { clusterSize, l2Entries }: Layout,
  diskSize: number,
): Generator<DiskRange, undefined> {
  for (const [l1Index, clusters] of tables) {
    for (let start = clusters.nextSet(0); start < clusters.size; ) {
      const end = clusters.nextClear(start);
      const offset = (l1Index * l2Entries + start) * clusterSize;
      yield { offset, length: Math.min((end - start) * clusterSize, diskSize - offset) };
      start = clusters.nextSet(end);
    }
  }
}
