import { alignUp } from '../bytes/align.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { zlib } from '../bytes/zlib.ts';
import { encodeCylinder } from './cylinders.ts';
import type { GptCopy } from './gpt.ts';
import { protectiveType } from './master-boot-record.ts';
import type { DiskBytes, PlacedPartition } from './placed-partition.ts';

const primaryLba = 1;
const entriesLba = 2;
const bootEntriesOffset = 446;
const bootEntryLength = 16;
const allSectors = 0xffff_ffff;

/** How much of a disk's start belongs to the GPT that `placedGpt` makes, in bytes. */
export function gptHeadLength(copy: GptCopy): number {
  return entriesLba * copy.sectorSize + arrayLength(copy);
}

/** And of its end. */
export function gptTailLength(copy: GptCopy): number {
  return arrayLength(copy) + copy.sectorSize;
}

function arrayLength({ entries, sectorSize }: GptCopy): number {
  return alignUp(entries.length, sectorSize);
}

/**
 * Both copies of a GPT for a disk of `size` bytes, with the partitions at their new places and everything else as it
 * was in `copy`; and the boot record, where each entry of a partition follows it. `record` is the disk's first sector.
 */
export function placedGpt(
  copy: GptCopy,
  record: Uint8Array,
  placed: readonly PlacedPartition[],
  size: number,
): DiskBytes[] {
  const { sectorSize } = copy;
  const entries = Uint8Array.from(copy.entries);
  for (const { length, offset, partition } of placed) {
    const writer = new ByteWriter(entries);
    writer.seek((partition.number - 1) * copy.header.entryLength + 32);
    writer.u64le(offset / sectorSize);
    writer.u64le((offset + length) / sectorSize - 1);
  }
  const lastLba = Math.floor(size / sectorSize) - 1;
  const backupEntriesLba = lastLba - arrayLength(copy) / sectorSize;
  const usable = [gptHeadLength(copy) / sectorSize, backupEntriesLba - 1] as const;
  const places = [
    { lba: primaryLba, other: lastLba, table: entriesLba },
    { lba: lastLba, other: primaryLba, table: backupEntriesLba },
  ];
  const copies = places.flatMap((place): DiskBytes[] => [
    { offset: place.lba * sectorSize, bytes: headerAt(copy, entries, place, usable) },
    { offset: place.table * sectorSize, bytes: entries },
  ]);
  return [{ offset: 0, bytes: placedRecord(record, placed, lastLba, sectorSize) }, ...copies];
}

function headerAt(
  { sector }: GptCopy,
  entries: Uint8Array,
  { lba, other, table }: Readonly<Record<'lba' | 'other' | 'table', number>>,
  usable: readonly [first: number, last: number],
): Uint8Array {
  const bytes = Uint8Array.from(sector);
  const view = new DataView(bytes.buffer);
  const writer = new ByteWriter(bytes);
  writer.seek(24);
  for (const value of [lba, other, ...usable]) writer.u64le(value);
  writer.seek(72);
  writer.u64le(table);
  view.setUint32(88, zlib().crc32(entries), true);
  view.setUint32(16, 0, true);
  view.setUint32(16, zlib().crc32(bytes.subarray(0, view.getUint32(12, true))), true);
  return bytes;
}

/** A boot record whose protective entry covers the disk, and whose others (a hybrid MBR) follow their partitions. */
function placedRecord(
  record: Uint8Array,
  placed: readonly PlacedPartition[],
  lastLba: number,
  sectorSize: number,
): Uint8Array {
  const bytes = Uint8Array.from(record);
  const view = new DataView(bytes.buffer);
  const starts = [0, 1, 2, 3].map((index) => bootEntriesOffset + index * bootEntryLength);
  const used = starts.filter((start) => bytes[start + 4] !== 0);
  for (const start of used) {
    const isProtective = bytes[start + 4] === protectiveType;
    // Beside others the protective entry covers the table only, which stays where it is.
    if (isProtective && used.length > 1) continue;
    const [first, count] = [view.getUint32(start + 8, true), view.getUint32(start + 12, true)];
    const follows = placed.find(({ partition }) => partition.offset === first * sectorSize);
    const newFirst = isProtective ? first : (follows?.offset ?? first * sectorSize) / sectorSize;
    const newCount = isProtective ? Math.min(lastLba, allSectors) : count;
    view.setUint32(start + 8, newFirst, true);
    view.setUint32(start + 12, newCount, true);
    if (!isProtective) putCylinders(bytes, start, newFirst, newCount);
  }
  return bytes;
}

function putCylinders(bytes: Uint8Array, start: number, first: number, count: number): void {
  const geometry = { heads: 255, sectors: 63 };
  bytes.set(encodeCylinder(first, geometry), start + 1);
  bytes.set(encodeCylinder(first + count - 1, geometry), start + 5);
}
