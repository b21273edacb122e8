import { runSteps } from '../../block/run-steps.ts';
import { hasFeature } from '../../format/qcow2/check-header.ts';
import { compressedLength, compressedOffset, hostOffsetOf, standardKind } from '../../format/qcow2/cluster-entry.ts';
import type { Qcow2Header } from '../../format/qcow2/header.ts';
import type { ImageFile } from '../../format/qcow2/image-file.ts';
import type { Refcounts } from '../../format/qcow2/refcounts.ts';

/**
 * Takes away, durably, the references of tables that were replaced: of the old L1 table, of L2 tables that the new one
 * does not point to, and of clusters that the L2 tables in their places do not. `header` is the one of before. What is
 * cut off here leaks.
 */
export async function releaseReplaced(
  image: ImageFile,
  refcounts: Refcounts,
  header: Qcow2Header,
  oldL1: DataView,
  newL1: DataView,
): Promise<void> {
  const { clusterSize, file } = image;
  const [oldTable, newTable] = [new DataView(new ArrayBuffer(clusterSize)), new DataView(new ArrayBuffer(clusterSize))];
  for (let position = 0; position < oldL1.byteLength; position += 8) {
    const [oldOffset, newOffset] = [offsetAt(oldL1, position), offsetAt(newL1, position)];
    if (oldOffset === 0 || oldOffset === newOffset) continue;
    await file.read(new Uint8Array(oldTable.buffer), oldOffset);
    await file.read(new Uint8Array(newTable.buffer), newOffset);
    releaseEntries(refcounts, header, oldTable, newTable);
    refcounts.release(oldOffset / clusterSize, 1);
    await runSteps(refcounts.applyReleases());
  }
  const l1Clusters = Math.ceil((header.l1Size * 8) / clusterSize);
  if (l1Clusters > 0) refcounts.release(header.l1TableOffset / clusterSize, l1Clusters);
  await runSteps(refcounts.applyReleases());
  await runSteps(refcounts.write());
  await file.flush();
}

/** Releases what `oldTable` refers to where `newTable` refers to something else. */
function releaseEntries(refcounts: Refcounts, header: Qcow2Header, oldTable: DataView, newTable: DataView): void {
  const clusterSize = 2 ** header.clusterBits;
  const entryLength = hasFeature(header, 'extendedL2') ? 16 : 8;
  for (let position = 0; position < clusterSize; position += entryLength) {
    const [high, low] = [oldTable.getUint32(position), oldTable.getUint32(position + 4)];
    if (high === newTable.getUint32(position) && low === newTable.getUint32(position + 4)) continue;
    if (standardKind(high, low) === 'compressed') {
      const offset = compressedOffset(high, low, header.clusterBits);
      const first = Math.floor(offset / clusterSize);
      const last = Math.floor((offset + compressedLength(high, low, header.clusterBits) - 1) / clusterSize);
      refcounts.release(first, last - first + 1);
    } else if (hostOffsetOf(high, low) !== 0) {
      refcounts.release(hostOffsetOf(high, low) / clusterSize, 1);
    }
  }
}

function offsetAt(table: DataView, position: number): number {
  return hostOffsetOf(table.getUint32(position), table.getUint32(position + 4));
}
