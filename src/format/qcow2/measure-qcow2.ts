import type { BlockDevice } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import { dataRanges } from '../data-ranges.ts';
import type { ImageMeasure, WriteImageOptions } from '../image-format.ts';
import { type Layout, layoutFor, refcountClusters } from './layout.ts';

/**
 * How large an image of a disk is at most, counted as qemu-img counts: with the tables of a disk that is full, so that
 * what is written need not have all of them.
 *
 * @throws VarveError `INVALID` for a cluster size that does not fit
 */
export async function measureQcow2(source: BlockDevice, options: WriteImageOptions = {}): Promise<ImageMeasure> {
  const layout = layoutFor(source.size, options);
  const { clusterSize, size } = layout;
  const diskLength = alignUp(size, clusterSize);
  const tableLength = tableClusters(layout) * clusterSize;
  let dataLength = 0;
  for await (const { length } of dataRanges(source, clusterSize)) dataLength += alignUp(length, clusterSize);
  return { required: tableLength + dataLength, fullyAllocated: tableLength + diskLength };
}

/** Header, L2 tables, L1 table, refcount blocks and their table, of a disk that is full. */
function tableClusters(layout: Layout): number {
  const { clusterSize, l2Entries, size } = layout;
  const dataClusters = Math.ceil(size / clusterSize);
  const l2Tables = Math.ceil(dataClusters / l2Entries);
  const others = 1 + l2Tables + Math.ceil((l2Tables * 8) / clusterSize);
  const refcounts = refcountClusters(layout, others + dataClusters);
  return others + refcounts.blockCount + refcounts.tableClusters;
}
