import { runSteps } from '../../../block/run-steps.ts';
import { hasFeature } from '../check-header.ts';
import { hostOffsetOf, standardKind } from '../cluster-entry.ts';
import type { ImageFile } from '../image-file.ts';
import { copiedBit } from '../layout.ts';
import type { Refcounts } from '../refcounts.ts';
import { readTable } from './read-table.ts';
import type { L1Place } from './table-references.ts';

/**
 * Makes the entries of an L1 table, and of its L2 tables, say what the refcounts do: bit 63 is set where that is one.
 * It does not flush.
 */
export async function updateCopiedBits(image: ImageFile, refcounts: Refcounts, place: L1Place): Promise<void> {
  const { clusterSize, header } = image;
  const l1 = await readTable(image, place.offset, place.size * 8, 'L1 table');
  const step = hasFeature(header, 'extendedL2') ? 16 : 8;
  const isExternal = hasFeature(header, 'externalDataFile');
  for (let position = 0; position < l1.byteLength; position += 8) {
    const offset = hostOffsetOf(l1.getUint32(position), l1.getUint32(position + 4));
    if (offset === 0) continue;
    const l2 = await readTable(image, offset, clusterSize, 'L2 table');
    if (!isExternal && (await updateTable(image, refcounts, l2, step))) {
      await image.file.write(new Uint8Array(l2.buffer), offset);
    }
  }
  if (await updateTable(image, refcounts, l1, 8)) await image.file.write(new Uint8Array(l1.buffer), place.offset);
}

/** Whether that changed any entry. */
async function updateTable(image: ImageFile, refcounts: Refcounts, table: DataView, step: number): Promise<boolean> {
  let changed = false;
  for (let position = 0; position < table.byteLength; position += step) {
    const [high, low] = [table.getUint32(position), table.getUint32(position + 4)];
    const offset = hostOffsetOf(high, low);
    if (offset === 0 || standardKind(high, low) === 'compressed') continue;
    const pending = runSteps(refcounts.get(Math.floor(offset / image.clusterSize)));
    const refcount = typeof pending === 'number' ? pending : await pending;
    const wanted = (refcount === 1 ? high | copiedBit : high & ~copiedBit) >>> 0;
    if (wanted === high) continue;
    table.setUint32(position, wanted);
    changed = true;
  }
  return changed;
}
