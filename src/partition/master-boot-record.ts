/*
 * The first sector of a disk, and of each logical partition; numbers are little-endian:
 *
 *   byte   0–439  boot code             446–509  four entries of 16 bytes
 *        440–443  the disk's signature  510–511  55 aa
 *
 *   entry      0  80 for the bootable one, else 00     8–11  first sector
 *              4  type, 0 for an entry that is free   12–15  count of sectors
 *           1–3, 5–7  the same in cylinders, heads and sectors, which nobody uses any more
 *
 * Source: UEFI Specification 2.10, section 5.2.1; Andries Brouwer, "Partition types" and "Large disk HOWTO".
 */
import { ByteReader } from '../bytes/byte-reader.ts';

/** Length of such a sector that matters, in bytes, whatever the disk's sector size is. */
export const bootRecordLength = 512;

/** An entry that is in use; `firstSector` counts from wherever the record's kind has it. */
export interface BootRecordEntry {
  /** From 0 to 3. */
  readonly index: number;
  readonly isBootable: boolean;
  readonly type: number;
  readonly firstSector: number;
  readonly sectorCount: number;
}

/** What such a sector says. */
export interface BootRecord {
  readonly signature: number;
  readonly entries: readonly BootRecordEntry[];
}

/** The type of the entry that keeps old programs off a disk with a GPT. */
export const protectiveType = 0xee;

const extendedTypes = new Set([0x05, 0x0f, 0x85]);

/** Whether an entry is of the partition that holds logical ones, or of the next link of their chain. */
export function isExtended({ type }: BootRecordEntry): boolean {
  return extendedTypes.has(type);
}

/** What 512 bytes say, or undefined where they are no boot record. */
export function decodeBootRecord(sector: Uint8Array): BootRecord | undefined {
  if (sector.length < bootRecordLength || sector[510] !== 0x55 || sector[511] !== 0xaa) return undefined;
  const reader = new ByteReader(sector.subarray(0, bootRecordLength), 'boot record');
  reader.seek(440);
  const signature = reader.u32le();
  reader.seek(446);
  const entries: BootRecordEntry[] = [];
  for (let index = 0; index < 4; index += 1) {
    const status = reader.u8();
    // Boot code of a file system may stand where the table would be.
    if (status !== 0 && status !== 0x80) return undefined;
    reader.skip(3);
    const type = reader.u8();
    reader.skip(3);
    const [firstSector, sectorCount] = [reader.u32le(), reader.u32le()];
    if (type !== 0 && sectorCount > 0) {
      entries.push({ index, isBootable: status === 0x80, type, firstSector, sectorCount });
    }
  }
  return { signature, entries };
}

/** Names of file systems that start with a sector of much the same look, and where in it they stand. */
const fileSystems = [
  { place: 3, name: 'NTFS    ' },
  { place: 3, name: 'EXFAT   ' },
  { place: 54, name: 'FAT' },
  { place: 82, name: 'FAT32' },
];

/** Whether a sector starts a file system of Windows' kind, which has a boot record's mark without being one. */
export function startsFileSystem(sector: Uint8Array): boolean {
  const text = Buffer.from(sector.buffer, sector.byteOffset, bootRecordLength).toString('latin1');
  const jumps = sector[0] === 0xeb || sector[0] === 0xe9;
  return jumps && fileSystems.some(({ name, place }) => text.startsWith(name, place));
}
