/*
 * The header of a GPT, in the second sector of a disk and, as a copy, in its last; numbers are little-endian:
 *
 *   byte 0–7   "EFI PART"                         40–47  first usable LBA
 *        8–11  revision                           48–55  last usable LBA
 *       12–15  length of this header, 92 or more  56–71  the disk's GUID
 *       16–19  its CRC-32, with this as zeros     72–79  first LBA of the entries
 *       24–31  the LBA it stands at               80–83  count of entries
 *       32–39  the LBA of the other copy          84–87  length of an entry, 128 or more
 *                                                 88–91  CRC-32 of all entries
 *
 * Source: UEFI Specification 2.10, section 5.3.2.
 */
import { ByteReader } from '../bytes/byte-reader.ts';
import { decodeGuid, type Guid } from '../bytes/guid.ts';
import { zlib } from '../bytes/zlib.ts';

/** Of a header's fields, in bytes. */
const headerLength = 92;
/** What Linux takes at most, in bytes; the usual array has 16384. */
const maximumArrayLength = 4 * 2 ** 20;

/** What a header says. An LBA counts sectors. */
export interface GptHeader {
  readonly id: Guid;
  readonly otherLba: number;
  readonly firstUsableLba: number;
  readonly lastUsableLba: number;
  readonly entriesLba: number;
  readonly entryCount: number;
  /** In bytes. */
  readonly entryLength: number;
  readonly entriesChecksum: number;
}

/** Whether a sector has the mark of a header. */
export function hasGptMark(sector: Uint8Array): boolean {
  return Buffer.from(sector.buffer, sector.byteOffset, Math.min(8, sector.length)).toString('latin1') === 'EFI PART';
}

/** What the header in a sector says, or the reason why it counts for nothing. `lba` is where the sector stands. */
export function decodeGptHeader(sector: Uint8Array, lba: number): GptHeader | string {
  if (!hasGptMark(sector)) return 'it has no header';
  const reader = new ByteReader(sector, 'GPT header');
  reader.seek(12);
  const length = reader.u32le();
  if (length < headerLength || length > sector.length) return `its header has a length of ${length} bytes`;
  const checksum = reader.u32le();
  if (checksum !== checksumOf(sector.subarray(0, length))) return 'the checksum of its header is wrong';
  reader.skip(4);
  const [ownLba, otherLba] = [lbaAt(reader), lbaAt(reader)];
  if (ownLba !== lba) return 'its header belongs to another place';
  const [firstUsableLba, lastUsableLba] = [lbaAt(reader), lbaAt(reader)];
  const id = decodeGuid(reader.bytes(16));
  const entriesLba = lbaAt(reader);
  const [entryCount, entryLength, entriesChecksum] = [reader.u32le(), reader.u32le(), reader.u32le()];
  if (entryLength < 128 || entryLength % 8 !== 0 || entryCount * entryLength > maximumArrayLength) {
    return `it has ${entryCount} entries of ${entryLength} bytes each`;
  }
  return { id, otherLba, firstUsableLba, lastUsableLba, entriesLba, entryCount, entryLength, entriesChecksum };
}

/** A sector's number; infinity for one that no disk has. */
export function lbaAt(reader: ByteReader): number {
  const lba = Number(reader.opaque64le());
  return lba * 4096 <= Number.MAX_SAFE_INTEGER ? lba : Number.POSITIVE_INFINITY;
}

function checksumOf(header: Uint8Array): number {
  const zeroed = Uint8Array.from(header);
  zeroed.fill(0, 16, 20);
  return zlib().crc32(zeroed);
}
