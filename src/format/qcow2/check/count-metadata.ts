import { isVarveError } from '../../../base/varve-error.ts';
import { runSteps } from '../../../block/run-steps.ts';
import { type BitmapEntry, isBitmapTableEntry } from '../bitmaps/bitmap-directory.ts';
import { bitmapsExtensionOf, readBitmapDirectory, readBitmapTable } from '../bitmaps/read-bitmaps.ts';
import { hostOffsetOf } from '../cluster-entry.ts';
import { encryptionHeaderOf } from '../encryption/encryption-header.ts';
import type { Qcow2Header } from '../header.ts';
import { readSnapshotTable, type SnapshotTable } from '../snapshots/read-snapshots.ts';
import type { SnapshotEntry } from '../snapshots/snapshot-table.ts';
import type { CheckContext } from './check-context.ts';

/** What `action` gives; where it finds the image corrupt, that is noted, and it is undefined. */
async function orHidden<T>({ findings }: CheckContext, action: () => T | Promise<T>): Promise<T | undefined> {
  try {
    return await action();
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT')) throw error;
    findings.hide(error.message);
    return undefined;
  }
}

/** The snapshot table, or an empty one where it cannot be read; it is counted. */
export async function countSnapshotTable(context: CheckContext): Promise<SnapshotTable> {
  const { counter, file, findings, header, name } = context;
  const table = await orHidden(context, () => readSnapshotTable(file, header, name));
  if (table === undefined) return { entries: [], length: 0 };
  counter.add('the snapshot table', header.snapshotsOffset, table.length);
  for (const entry of table.entries) {
    if (!isIncomplete(entry, header)) continue;
    const { name: snapshotName } = entry;
    findings.corrupt(() => `snapshot ${JSON.stringify(snapshotName)} does not say how large the disk was`);
  }
  return table;
}

/** Whether an entry leaves out how large the disk was, which version 3 wants to know. */
export function isIncomplete({ diskSize }: SnapshotEntry, { version }: Qcow2Header): boolean {
  return version === 3 && diskSize === undefined;
}

/** Counts the area of the LUKS header, and bitmaps with their directory and tables. */
export async function countExtensions(context: CheckContext): Promise<void> {
  const { counter, header } = context;
  const luks = encryptionHeaderOf(header, context.file.size, context.name);
  if (luks !== undefined) counter.add('the LUKS header', luks.offset, luks.length);
  await countBitmaps(context);
}

async function countBitmaps(context: CheckContext): Promise<void> {
  const { counter, file, header, name } = context;
  const extension = await orHidden(context, () => bitmapsExtensionOf(header, file.size, name));
  if (extension === undefined) return;
  counter.add('the bitmap directory', extension.directoryOffset, extension.directorySize);
  const entries = await orHidden(context, () => runSteps(readBitmapDirectory(file, header, name)));
  for (const entry of entries ?? []) await countBitmap(context, entry);
}

async function countBitmap(context: CheckContext, entry: BitmapEntry): Promise<void> {
  const { counter, file, findings, header, name } = context;
  const clusterSize = 2 ** header.clusterBits;
  counter.add('a bitmap table', entry.tableOffset, entry.tableSize * 8);
  const table = await orHidden(context, () => runSteps(readBitmapTable(file, header, entry, name)));
  for (let position = 0; position < (table?.byteLength ?? 0); position += 8) {
    const [high, low] = [table!.getUint32(position), table!.getUint32(position + 4)];
    const offset = hostOffsetOf(high, low);
    if (isBitmapTableEntry(high, low, clusterSize))
      counter.add('a cluster of a bitmap', offset, offset === 0 ? 0 : clusterSize);
    else findings.corrupt(() => `entry ${position / 8} of the table of bitmap ${JSON.stringify(entry.name)} cannot be`);
  }
}
