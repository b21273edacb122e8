import type { BlockDevice } from '../block/block-device.ts';
import { zlib } from '../bytes/zlib.ts';
import { decodeGptEntry } from './gpt-entry.ts';
import { decodeGptHeader, type GptHeader, hasGptMark } from './gpt-header.ts';
import type { Partition, PartitionTable } from './partition-table.ts';

type SectorSize = PartitionTable['sectorSize'];

const primaryLba = 1;

/** One of the two copies of a table. */
export interface GptCopy {
  /** The sector of its header, as it stands there. */
  readonly sector: Uint8Array;
  readonly header: GptHeader;
  readonly entries: Uint8Array;
  readonly sectorSize: SectorSize;
}

/**
 * The GPT of a disk, by its first copy, or where that is damaged, by the one at the disk's end; the reason where neither
 * can be used. A sector size that is not given shows by where the table stands.
 */
export async function readGpt(
  device: BlockDevice,
  sectorSizes: readonly SectorSize[] = [512, 4096],
): Promise<PartitionTable | string> {
  const copy = await readGptCopy(device, sectorSizes);
  if (typeof copy === 'string') return copy;
  const { notUsed } = copy;
  const isFirst = notUsed === undefined;
  const problems = isFirst
    ? await problemsOfBackup(device, copy)
    : [`the first copy of the table is not used: ${notUsed}`];
  return tableOf(device, copy, problems);
}

/** The copy of a GPT that counts: the first one, or where that is damaged (`notUsed` says how), the one at the disk's end. */
export async function readGptCopy(
  device: BlockDevice,
  sectorSizes: readonly SectorSize[],
): Promise<(GptCopy & { readonly notUsed?: string }) | string> {
  const sectorSize = await sectorSizeOf(device, sectorSizes);
  const [size] = sectorSize === undefined ? sectorSizes : [sectorSize];
  const primary = await readCopy(device, primaryLba, size!);
  if (typeof primary !== 'string') return primary;
  for (const each of sectorSize === undefined ? sectorSizes : [sectorSize]) {
    const backup = await readCopy(device, Math.floor(device.size / each) - 1, each);
    if (typeof backup !== 'string') return { ...backup, notUsed: primary };
  }
  return primary;
}

/** The one that has a header's mark behind the first sector. */
async function sectorSizeOf(device: BlockDevice, sizes: readonly SectorSize[]): Promise<SectorSize | undefined> {
  for (const size of sizes) {
    const sector = await readAt(device, primaryLba * size, size);
    if (sector !== undefined && hasGptMark(sector)) return size;
  }
  return undefined;
}

async function readCopy(device: BlockDevice, lba: number, sectorSize: SectorSize): Promise<GptCopy | string> {
  const sector = await readAt(device, lba * sectorSize, sectorSize);
  if (sector === undefined) return 'it is past the end of the disk';
  const header = decodeGptHeader(sector, lba);
  if (typeof header === 'string') return header;
  const { entriesChecksum, entriesLba, entryCount, entryLength } = header;
  const entries = await readAt(device, entriesLba * sectorSize, entryCount * entryLength);
  if (entries === undefined) return 'its entries are past the end of the disk';
  return zlib().crc32(entries) === entriesChecksum
    ? { sector, header, entries, sectorSize }
    : 'the checksum of its entries is wrong';
}

/** Bytes of a disk, or undefined where it has none there. The caller has bounded the length. */
async function readAt(device: BlockDevice, offset: number, length: number): Promise<Uint8Array | undefined> {
  if (!(offset >= 0 && offset + length <= device.size)) return undefined;
  const bytes = new Uint8Array(length);
  if (length > 0) await device.read(bytes, offset);
  return bytes;
}

async function problemsOfBackup(device: BlockDevice, { entries, header, sectorSize }: GptCopy): Promise<string[]> {
  const backup = await readCopy(device, header.otherLba, sectorSize);
  if (typeof backup === 'string') return [`the second copy of the table cannot be used: ${backup}`];
  const isSame = backup.header.id === header.id && Buffer.compare(backup.entries, entries) === 0;
  return isSame ? [] : ['the two copies of the table differ; the first one is used'];
}

function tableOf(
  device: BlockDevice,
  { entries, header, sectorSize }: GptCopy,
  known: readonly string[],
): PartitionTable {
  const partitions: Partition[] = [];
  const problems = [...known];
  for (let index = 0; index < header.entryCount; index += 1) {
    const start = index * header.entryLength;
    const entry = decodeGptEntry(entries.subarray(start, start + header.entryLength), index, sectorSize);
    if (typeof entry === 'string') problems.push(entry);
    else if (entry !== undefined) {
      partitions.push(entry);
      if (entry.offset + entry.length > device.size) problems.push(`partition ${entry.number} ends after the disk`);
    }
  }
  return { scheme: 'gpt', sectorSize, id: header.id, partitions, problems };
}
