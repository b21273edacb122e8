import type { BlockDevice } from '../../block/block-device.ts';
import { runSteps } from '../../block/run-steps.ts';
import type { BitmapInformation, InternalSnapshot } from '../image-format.ts';
import { type BitmapEntry, bitmapFlag } from './bitmaps/bitmap-directory.ts';
import { readBitmapDirectory } from './bitmaps/read-bitmaps.ts';
import type { Qcow2Header } from './header.ts';
import { readSnapshotTable } from './snapshots/read-snapshots.ts';
import type { SnapshotEntry } from './snapshots/snapshot-table.ts';

/** What an image holds beside its disk. */
export interface ImageContents {
  readonly snapshots: readonly InternalSnapshot[];
  readonly bitmaps: readonly BitmapInformation[];
}

/**
 * Reads what an image says of its snapshots and bitmaps.
 *
 * @throws VarveError `CORRUPT`
 */
export async function readContents(file: BlockDevice, header: Qcow2Header, name: string): Promise<ImageContents> {
  const { entries } = await readSnapshotTable(file, header, name);
  const bitmaps = await runSteps(readBitmapDirectory(file, header, name));
  return {
    snapshots: entries.map((entry) => snapshotInformation(entry, header)),
    bitmaps: bitmaps.map(bitmapInformation),
  };
}

function snapshotInformation(entry: SnapshotEntry, header: Qcow2Header): InternalSnapshot {
  return {
    id: entry.id,
    name: entry.name,
    size: entry.diskSize ?? header.size,
    timeMs: entry.dateSeconds * 1000 + Math.floor(entry.dateNanoseconds / 1e6),
    machineStateLength: entry.machineStateSize,
  };
}

function bitmapInformation({ flags, granularityBits, name }: BitmapEntry): BitmapInformation {
  const isAuto = (flags & bitmapFlag.auto) !== 0;
  const isInUse = (flags & bitmapFlag.inUse) !== 0;
  return {
    name,
    granularity: 2 ** granularityBits,
    flags: [...(isAuto ? (['auto'] as const) : []), ...(isInUse ? (['in-use'] as const) : [])],
  };
}
