import { VarveError } from '../../../base/varve-error.ts';
import type { BlockDevice } from '../../../block/block-device.ts';
import { runSteps } from '../../../block/run-steps.ts';
import { markBitmapsInUse } from '../bitmaps/mark-in-use.ts';
import { updateCopiedBits } from './copied-bits.ts';
import { findSnapshot } from './find-snapshot.ts';
import { applyReleases, changeHeader } from './replace-table.ts';
import { SnapshotEditor } from './snapshot-editor.ts';
import type { SnapshotEntry } from './snapshot-table.ts';
import { type L1Place, ownClusters, referencesOf } from './table-references.ts';

/** A snapshot to be made. */
export interface NewSnapshot {
  readonly name: string;
  /** Milliseconds since 1970; now where nothing is given. */
  readonly timeMs?: number;
}

const maximumNameLength = 255;
const maximumSnapshotCount = 65536;

/**
 * Keeps the disk in a qcow2 image as it is now as a snapshot inside the file, and gives its id. Nobody else may have
 * the file open to write. Cut off at any moment, the image has the snapshot or not; the disk is the same.
 *
 * @throws VarveError `EXISTS`, `INVALID` for a name, `UNSUPPORTED` where refcounts are too narrow, `READ_ONLY`, `NO_SPACE`
 */
export async function createQcow2Snapshot(
  file: BlockDevice,
  imageName: string,
  snapshot: NewSnapshot,
): Promise<string> {
  const editor = await SnapshotEditor.open(file, imageName);
  const { entries, image, refcounts } = editor;
  checkName(snapshot.name, entries, imageName);
  const id = String(Math.max(0, ...entries.map((entry) => Number.parseInt(entry.id, 10) || 0)) + 1);
  await editor.run(async () => {
    const active = { offset: image.header.l1TableOffset, size: image.header.l1Size };
    await addReferences(editor, active);
    // While there is one owner still, having to copy costs nothing; the other way round, it would.
    await updateCopiedBits(image, refcounts, active);
    await file.flush();
    const l1TableOffset = await editor.copyL1Table(active);
    await editor.replaceTable([...entries, newEntry({ ...snapshot, id, l1TableOffset }, image.header)]);
  });
  return id;
}

function checkName(name: string, entries: readonly SnapshotEntry[], imageName: string): void {
  const length = Buffer.byteLength(name);
  if (length === 0 || length > maximumNameLength) {
    const why = `the name of a snapshot has 1 to ${maximumNameLength} bytes, and ${JSON.stringify(name)} has ${length}`;
    throw new VarveError('INVALID', `cannot make a snapshot of ${imageName}: ${why}`);
  }
  if (entries.some((entry) => entry.name === name)) {
    throw new VarveError('EXISTS', `${imageName} has a snapshot ${JSON.stringify(name)} already; choose another name`);
  }
  if (entries.length < maximumSnapshotCount) return;
  throw new VarveError('UNSUPPORTED', `cannot make a snapshot of ${imageName}: it has ${maximumSnapshotCount} already`);
}

function newEntry(
  {
    id,
    l1TableOffset,
    name,
    timeMs = Date.now(),
  }: NewSnapshot & { readonly id: string; readonly l1TableOffset: number },
  { l1Size, size }: { readonly l1Size: number; readonly size: number },
): SnapshotEntry {
  return {
    ...{ l1TableOffset, l1Size, id, name, diskSize: size },
    dateSeconds: Math.floor(timeMs / 1000),
    dateNanoseconds: (timeMs % 1000) * 1e6,
    clockNanoseconds: 0n,
    machineStateSize: 0,
    furtherData: new Uint8Array(),
  };
}

/**
 * Makes the disk in a qcow2 image what it was when a snapshot, named by id or name, was made; what was written since is
 * gone. Nobody else may have the file open to write. Cut off at any moment, the disk is the old one or the new one.
 *
 * @throws VarveError `NOT_FOUND`, `UNSUPPORTED` where refcounts are too narrow, `READ_ONLY`, `NO_SPACE`
 */
export async function applyQcow2Snapshot(file: BlockDevice, imageName: string, snapshot: string): Promise<void> {
  const editor = await SnapshotEditor.open(file, imageName);
  const { entries, image, refcounts } = editor;
  const { diskSize, l1Size, l1TableOffset } = findSnapshot(entries, snapshot, imageName);
  const then = { offset: l1TableOffset, size: l1Size };
  const before = { offset: image.header.l1TableOffset, size: image.header.l1Size };
  await editor.run(async () => {
    await addReferences(editor, then);
    await updateCopiedBits(image, refcounts, then);
    await file.flush();
    const offset = await editor.copyL1Table(then);
    // They do not know what of the disk is another then.
    await runSteps(markBitmapsInUse(image, () => true));
    const size = diskSize ?? image.header.size;
    await changeHeader(editor, { l1TableOffset: offset, l1Size, size });
    await release(editor, before);
  });
}

/**
 * Deletes a snapshot, named by id or name, from a qcow2 image, and frees what only it used. Nobody else may have the
 * file open to write. Cut off at any moment, the image has the snapshot or not; the disk is the same.
 *
 * @throws VarveError `NOT_FOUND`, `READ_ONLY`, `NO_SPACE`
 */
export async function deleteQcow2Snapshot(file: BlockDevice, imageName: string, snapshot: string): Promise<void> {
  const editor = await SnapshotEditor.open(file, imageName);
  const { entries, image, refcounts } = editor;
  const found = findSnapshot(entries, snapshot, imageName);
  await editor.run(async () => {
    await editor.replaceTable(entries.filter((entry) => entry !== found));
    await release(editor, { offset: found.l1TableOffset, size: found.l1Size });
    const active = { offset: image.header.l1TableOffset, size: image.header.l1Size };
    await updateCopiedBits(image, refcounts, active);
    await file.flush();
  });
}

/** Counts what an L1 table refers to once more. */
async function addReferences({ image, refcounts }: SnapshotEditor, place: L1Place): Promise<void> {
  for await (const runs of referencesOf(image, place)) {
    for (const { count, first } of runs) await runSteps(refcounts.add(first, count));
  }
}

/** Gives up what an L1 table refers to, and the table; nothing in the file points to it any more. */
async function release(editor: SnapshotEditor, place: L1Place): Promise<void> {
  const { image, refcounts } = editor;
  for await (const runs of referencesOf(image, place)) {
    for (const { count, first } of runs) refcounts.release(first, count);
  }
  const own = ownClusters(image, place);
  if (own.count > 0) refcounts.release(own.first, own.count);
  await applyReleases(editor);
}
