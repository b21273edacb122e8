import { runSteps } from '../../../block/run-steps.ts';
import { hasFeature } from '../check-header.ts';
import { hostOffsetOf, standardKind } from '../cluster-entry.ts';
import { autoclearFeature } from '../features.ts';
import { ImageFile } from '../image-file.ts';
import { copiedBit } from '../layout.ts';
import { Refcounts } from '../refcounts.ts';
import { readSnapshotTable } from '../snapshots/read-snapshots.ts';
import { replaceSnapshotTable } from '../snapshots/replace-table.ts';
import type { CheckContext } from './check-context.ts';
import type { CheckedImage } from './checked-image.ts';
import { readPadded } from './read-padded.ts';
import { rebuildRefcounts } from './rebuild-refcounts.ts';
import { repairEntry } from './repair-entry.ts';
import { canRepairInPlace, repairRefcounts } from './repair-refcounts.ts';

/**
 * Sets right the L2 entries that can be, and says whether there were any: what refers to clusters is another then, and
 * has to be counted anew. An entry whose table is something else as well is left alone.
 */
export async function repairEntries({ clusters, context, usage }: CheckedImage): Promise<boolean> {
  const { counter, file, header } = context;
  const clusterSize = 2 ** header.clusterBits;
  let changed = false;
  for (const offset of clusters.brokenEntries) {
    const tableOffset = offset - (offset % clusterSize);
    if (usage.usesAt(tableOffset) !== counter.counts.get(tableOffset / clusterSize)) continue;
    const entry = await readPadded(file, offset, hasFeature(header, 'extendedL2') ? 16 : 8);
    repairEntry(entry, clusterSize);
    await file.write(new Uint8Array(entry.buffer), offset);
    changed = true;
  }
  if (changed) await file.flush();
  return changed;
}

/**
 * Makes refcounts what was counted, and the entries of the active tables say what the refcounts do. What each should be
 * is known by now, so that every write by itself makes the image better, and the power may fail at any.
 */
export async function repairReferences(checked: CheckedImage, mode: 'leaks' | 'all'): Promise<void> {
  const { context } = checked;
  const { file, findings } = context;
  await dropUnknownFeatures(context);
  if (mode === 'leaks') await repairRefcounts(context, (used, refcount) => used < refcount);
  else if (canRepairInPlace(context)) await repairRefcounts(context, () => true);
  else await rebuildRefcounts(context);
  await file.flush();
  // With leaks gone a refcount may be one that was not; where there is more wrong, nothing of it is touched.
  if (mode === 'all' || findings.corruptions === 0) await repairCopiedBits(checked);
  await file.flush();
}

/** Writes the snapshot table of an image whose refcounts are in order with all that version 3 wants to know. */
export async function completeSnapshots({ file, header, name }: CheckContext): Promise<void> {
  const image = new ImageFile(file, header, name);
  const { entries, length } = await readSnapshotTable(file, header, name);
  await replaceSnapshotTable({ image, refcounts: await runSteps(Refcounts.open(image)) }, length, entries);
}

/** Takes the marks of an image that is not in order away; it has been found to be. */
export async function markClean({ file, header, name }: CheckContext): Promise<void> {
  if (!hasFeature(header, 'dirty') && !hasFeature(header, 'corrupt')) return;
  const image = new ImageFile(file, header, name);
  const incompatibleFeatures = header.incompatibleFeatures & ~3n;
  await runSteps(image.changeFields({ incompatibleFeatures }));
  await file.flush();
}

/** What an unknown autoclear feature vouches for is not so any more once somebody else has written. */
async function dropUnknownFeatures({ file, header, name }: CheckContext): Promise<void> {
  const autoclearFeatures = header.autoclearFeatures & (autoclearFeature.bitmaps | autoclearFeature.rawExternalData);
  if (autoclearFeatures === header.autoclearFeatures) return;
  await runSteps(new ImageFile(file, header, name).changeFields({ autoclearFeatures }));
  await file.flush();
}

async function repairCopiedBits({ context, usage }: CheckedImage): Promise<void> {
  const { counter, file, header } = context;
  const clusterSize = 2 ** header.clusterBits;
  await repairTable(context, header.l1TableOffset, header.l1Size * 8, 8, () => true);
  const isExternal = hasFeature(header, 'externalDataFile');
  const isStandard = (high: number, low: number): boolean => standardKind(high, low) !== 'compressed';
  for (const { active, offset } of usage.tables(counter.clusterCount)) {
    const isOwn = usage.usesAt(offset) === counter.counts.get(offset / clusterSize);
    if (active === 0 || offset === 0 || offset % clusterSize !== 0 || !isOwn || offset + clusterSize > file.size)
      continue;
    await repairTable(context, offset, clusterSize, hasFeature(header, 'extendedL2') ? 16 : 8, isStandard, isExternal);
  }
}

/** Sets bit 63 of a table's entries by what was counted, and writes the table if that changed any. */
async function repairTable(
  { counter, file, header }: CheckContext,
  offset: number,
  length: number,
  step: number,
  isCounted: (high: number, low: number) => boolean,
  isOne = false,
): Promise<void> {
  const table = await readPadded(file, offset, length);
  let changed = false;
  for (let position = 0; position < length; position += step) {
    const [high, low] = [table.getUint32(position), table.getUint32(position + 4)];
    const target = hostOffsetOf(high, low);
    if (target === 0 || !isCounted(high, low)) continue;
    const uses = isOne ? 1 : counter.counts.get(Math.floor(target / 2 ** header.clusterBits));
    const wanted = uses === 1 ? (high | copiedBit) >>> 0 : high & ~copiedBit;
    if (wanted >>> 0 === high) continue;
    table.setUint32(position, wanted);
    changed = true;
  }
  if (changed) await file.write(new Uint8Array(table.buffer), offset);
}
