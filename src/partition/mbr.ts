import type { BlockDevice } from '../block/block-device.ts';
import {
  type BootRecord,
  type BootRecordEntry,
  bootRecordLength,
  decodeBootRecord,
  isExtended,
} from './master-boot-record.ts';
import type { Partition, PartitionTable } from './partition-table.ts';
import { mbrTypeName } from './type-names.ts';

/** How many partitions Linux gives numbers to, logical ones among them, is 255; a chain may be no longer. */
const maximumLinks = 256;
const firstLogicalNumber = 5;

/** The table whose first sector is `record`, with the logical partitions. Sectors are of `sectorSize` bytes. */
export async function readMbr(
  device: BlockDevice,
  record: BootRecord,
  sectorSize: PartitionTable['sectorSize'],
): Promise<PartitionTable> {
  const id = record.signature.toString(16).padStart(8, '0');
  const reading = new Reading(device, id, sectorSize);
  for (const entry of record.entries) {
    const kind = isExtended(entry) ? 'extended' : 'primary';
    reading.add(entry, entry.index + 1, entry.firstSector, kind);
  }
  // Linux takes the first one only; a second one would be a mistake of whoever made the disk.
  const extended = record.entries.find(isExtended);
  if (extended !== undefined) await reading.followChain(extended);
  return { scheme: 'mbr', sectorSize, id, partitions: reading.partitions, problems: reading.problems };
}

class Reading {
  readonly partitions: Partition[] = [];
  readonly problems: string[] = [];
  readonly #device: BlockDevice;
  readonly #id: string;
  readonly #sectorSize: number;

  constructor(device: BlockDevice, id: string, sectorSize: number) {
    this.#device = device;
    this.#id = id;
    this.#sectorSize = sectorSize;
  }

  add(entry: BootRecordEntry, number: number, firstSector: number, kind: Partition['kind']): void {
    const { isBootable, sectorCount, type } = entry;
    const [offset, length] = [firstSector * this.#sectorSize, sectorCount * this.#sectorSize];
    this.partitions.push({
      ...{ number, offset, length, kind, typeName: mbrTypeName(type), name: undefined },
      type: `0x${type.toString(16).padStart(2, '0')}`,
      id: `${this.#id}-${number.toString(16).padStart(2, '0')}`,
      attributes: isBootable ? ['bootable'] : [],
    });
    if (offset + length > this.#device.size) this.problems.push(`partition ${number} ends after the disk`);
  }

  /** Adds the logical partitions: each link has one, counted from itself, and the way to the next, from the first. */
  async followChain({ firstSector: start, sectorCount }: BootRecordEntry): Promise<void> {
    const seen = new Set<number>();
    let number = firstLogicalNumber;
    for (let sector = start; ; ) {
      if (seen.has(sector)) return this.#breakOff('comes back to where it has been', sector);
      if (seen.size === maximumLinks) return this.#breakOff(`has over ${maximumLinks} links`, sector);
      seen.add(sector);
      const record = await this.#recordAt(sector);
      if (record === undefined) return this.#breakOff('leads to what is no boot record', sector);
      for (const entry of logicalIn(record, sector, start + sectorCount)) {
        this.add(entry, number, sector + entry.firstSector, 'logical');
        number += 1;
      }
      const next = record.entries.find(isExtended);
      if (next === undefined) return;
      sector = start + next.firstSector;
    }
  }

  async #recordAt(sector: number): Promise<BootRecord | undefined> {
    const offset = sector * this.#sectorSize;
    if (offset + bootRecordLength > this.#device.size) return undefined;
    const bytes = new Uint8Array(bootRecordLength);
    await this.#device.read(bytes, offset);
    return decodeBootRecord(bytes);
  }

  #breakOff(what: string, sector: number): void {
    this.problems.push(`the chain of logical partitions ${what}, at byte ${sector * this.#sectorSize}`);
  }
}

/**
 * The partitions of a link. By rule only the first entry is one; the last two are taken, as Linux does, where they at
 * least lie inside of the extended partition: some programs left rubbish there.
 */
function logicalIn({ entries }: BootRecord, sector: number, end: number): BootRecordEntry[] {
  return entries.filter((entry) => {
    if (isExtended(entry)) return false;
    return entry.index < 2 || sector + entry.firstSector + entry.sectorCount <= end;
  });
}
