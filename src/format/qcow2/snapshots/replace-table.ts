import { runSteps } from '../../../block/run-steps.ts';
import type { ChangeableFields, ImageFile } from '../image-file.ts';
import type { Refcounts } from '../refcounts.ts';
import { encodeSnapshotTable, type SnapshotEntry } from './snapshot-table.ts';

/** An image whose tables are changed, and how often its clusters are referred to. */
export interface CountedImage {
  readonly image: ImageFile;
  readonly refcounts: Refcounts;
}

/** Writes the table of snapshots anew, and makes the header point to it; the old one has `oldLength` bytes. */
export async function replaceSnapshotTable(
  counted: CountedImage,
  oldLength: number,
  entries: readonly SnapshotEntry[],
): Promise<void> {
  const { image, refcounts } = counted;
  const { clusterSize, file, header } = image;
  const old = { first: header.snapshotsOffset / clusterSize, count: Math.ceil(oldLength / clusterSize) };
  const encoded = encodeSnapshotTable(entries, header.size);
  const count = Math.ceil(encoded.length / clusterSize);
  const first = count === 0 ? 0 : await runSteps(refcounts.allocateContiguous(count));
  const bytes = new Uint8Array(count * clusterSize);
  bytes.set(encoded);
  if (count > 0) await file.write(bytes, first * clusterSize);
  await changeHeader(counted, { snapshotsOffset: first * clusterSize, snapshotCount: entries.length });
  if (old.count > 0) refcounts.release(old.first, old.count);
  await applyReleases(counted);
}

/** Changes the header, once everything that it may point to is durable, and makes that durable. */
export async function changeHeader({ image, refcounts }: CountedImage, changes: ChangeableFields): Promise<void> {
  await runSteps(refcounts.write());
  await image.file.flush();
  await runSteps(image.changeFields(changes));
  await image.file.flush();
}

/** Frees what was released. */
export async function applyReleases({ image, refcounts }: CountedImage): Promise<void> {
  await runSteps(refcounts.applyReleases());
  await runSteps(refcounts.write());
  await image.file.flush();
}
