import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { readGpt } from './gpt.ts';
import {
  type BootRecord,
  bootRecordLength,
  decodeBootRecord,
  protectiveType,
  startsFileSystem,
} from './master-boot-record.ts';
import { readMbr } from './mbr.ts';
import type { PartitionTable } from './partition-table.ts';

/** How a disk's partition table is read. */
export interface ReadPartitionTableOptions {
  /** What errors call the disk. */
  readonly name: string;
  /** In bytes; a GPT shows it, and an MBR counts in 512 bytes, where nothing is given. */
  readonly sectorSize?: 512 | 4096 | undefined;
}

/**
 * How a disk is divided, as Linux sees it; undefined for one that has no partition table. A GPT counts where the boot
 * record has the entry that says so, even beside others (a hybrid MBR), and not where an older one was left behind.
 *
 * @throws VarveError `CORRUPT` where a disk has a GPT of which neither copy can be read, and what reading it throws
 */
export async function readPartitionTable(
  device: BlockDevice,
  { name, sectorSize }: ReadPartitionTableOptions,
): Promise<PartitionTable | undefined> {
  if (device.size < bootRecordLength) return undefined;
  const sector = new Uint8Array(bootRecordLength);
  await device.read(sector, 0);
  const record = decodeBootRecord(sector);
  if (record === undefined) return undefined;
  if (!record.entries.some(({ type }) => type === protectiveType)) {
    const isTable = !startsFileSystem(sector) || hasPartitions(record, device);
    return isTable ? await readMbr(device, record, sectorSize ?? 512) : undefined;
  }
  const table = await readGpt(device, sectorSize === undefined ? undefined : [sectorSize]);
  if (typeof table !== 'string') return table;
  throw new VarveError(
    'CORRUPT',
    `cannot read the partition table of ${name}: neither copy of its GPT is good: ${table}`,
  );
}

/** Whether entries are there, and all of them name a place that the disk has. */
function hasPartitions({ entries }: BootRecord, { size }: BlockDevice): boolean {
  const isThere = (firstSector: number, count: number) => firstSector > 0 && (firstSector + count) * 512 <= size;
  return entries.length > 0 && entries.every(({ firstSector, sectorCount }) => isThere(firstSector, sectorCount));
}
