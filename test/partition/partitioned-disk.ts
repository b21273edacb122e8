import { crc32 } from 'node:zlib';
import { ByteWriter } from '../../src/bytes/byte-writer.ts';
import { encodeGuid, type Guid } from '../../src/bytes/guid.ts';

/** A partition to be made; sectors are counted, and the last one belongs to it. */
export interface WantedPartition {
  readonly number: number;
  readonly first: number;
  readonly last: number;
  readonly name?: string;
  readonly attributes?: bigint;
}

export const linuxType: Guid = '0fc63daf-8483-4772-8e79-3d69d8477de4';
export const diskId: Guid = '11111111-2222-3333-4444-555555555555';

/** The GUID that the partition of a number gets. */
export function partitionId(number: number): Guid {
  return `aaaaaaaa-bbbb-cccc-dddd-${String(number).padStart(12, '0')}`;
}

/** How a disk with a GPT is made; the usual ones where nothing is given. */
export interface GptOptions {
  readonly sectorSize?: number;
  readonly entryLength?: number;
  readonly entryCount?: number;
}

/** A disk of `sectorCount` sectors with both copies of a GPT. */
export function gptDisk(
  sectorCount: number,
  partitions: readonly WantedPartition[],
  { sectorSize = 512, entryLength = 128, entryCount = 128 }: GptOptions = {},
): Uint8Array {
  const disk = new Uint8Array(sectorCount * sectorSize);
  const entries = new Uint8Array(entryCount * entryLength);
  for (const each of partitions) entries.set(encodeEntry(each), (each.number - 1) * entryLength);
  const tableSectors = Math.ceil(entries.length / sectorSize);
  const lastUsable = sectorCount - tableSectors - 2;
  disk.set(bootRecord([{ type: 0xee, first: 1, count: sectorCount - 1 }]));
  const places = [
    { lba: 1, other: sectorCount - 1, table: 2 },
    { lba: sectorCount - 1, other: 1, table: lastUsable + 1 },
  ];
  for (const { lba, other, table } of places) {
    const header = new ByteWriter(92);
    header.utf8('EFI PART');
    for (const value of [0x10000, 92, 0, 0]) header.u32le(value);
    for (const value of [lba, other, 2 + tableSectors, lastUsable]) header.u64le(value);
    header.put(encodeGuid(diskId));
    header.u64le(table);
    for (const value of [entryCount, entryLength, crc32(entries)]) header.u32le(value);
    disk.set(sealed(header.bytes), lba * sectorSize);
    disk.set(entries, table * sectorSize);
  }
  return disk;
}

/** A header with the checksum that it should have. */
export function sealed(header: Uint8Array): Uint8Array {
  const view = new DataView(header.buffer, header.byteOffset);
  view.setUint32(16, 0, true);
  view.setUint32(16, crc32(header), true);
  return header;
}

function encodeEntry({ attributes = 0n, first, last, name = '', number }: WantedPartition): Uint8Array {
  const entry = Buffer.alloc(128);
  entry.set(encodeGuid(linuxType));
  entry.set(encodeGuid(partitionId(number)), 16);
  entry.writeBigUInt64LE(BigInt(first), 32);
  entry.writeBigUInt64LE(BigInt(last), 40);
  entry.writeBigUInt64LE(attributes, 48);
  entry.write(name, 56, 72, 'utf16le');
  return entry;
}

/** An entry of a boot record. */
export interface WantedEntry {
  readonly type: number;
  readonly first: number;
  readonly count: number;
  readonly bootable?: boolean;
}

/** A boot record with up to four entries. */
export function bootRecord(entries: readonly (WantedEntry | undefined)[], signature = 0x12345678): Uint8Array {
  const sector = Buffer.alloc(512);
  sector.writeUInt32LE(signature, 440);
  for (const [index, entry] of entries.entries()) {
    if (entry === undefined) continue;
    const place = 446 + 16 * index;
    sector[place] = entry.bootable ? 0x80 : 0;
    sector[place + 4] = entry.type;
    sector.writeUInt32LE(entry.first, place + 8);
    sector.writeUInt32LE(entry.count, place + 12);
  }
  sector.writeUInt16BE(0x55aa, 510);
  return sector;
}
