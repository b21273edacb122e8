/*
 * Entries of an exFAT directory have 32 bytes, little-endian. The lowest seven bits of the first byte are their type; bit
 * 7 is set where it is in use, and 0 stands after the last one.
 *
 *   81  Allocation Bitmap       1 BitmapFlags: 1 the second      20 FirstCluster      24 DataLength (64 bit)
 *   82  Up-case Table           4 TableChecksum (32 bit)         20 FirstCluster      24 DataLength (64 bit)
 *   83  Volume Label            1 CharacterCount, at most 11      2 VolumeLabel, UTF-16
 *
 *   85  File, and SecondaryCount entries after it
 *          1  SecondaryCount, 2 to 18          16–19 LastAccessedTimestamp         22 CreateUtcOffset
 *        2–3  SetChecksum                         20 Create10msIncrement           23 LastModifiedUtcOffset
 *        4–5  FileAttributes                      21 LastModified10msIncrement     24 LastAccessedUtcOffset
 *       8–11  CreateTimestamp
 *      12–15  LastModifiedTimestamp
 *   c0  Stream Extension, the first of them
 *          1  GeneralSecondaryFlags: 1 AllocationPossible, 2 NoFatChain          20–23  FirstCluster
 *          3  NameLength, characters, 8–15 ValidDataLength                       24–31  DataLength
 *        4–5  NameHash
 *   c1  File Name, as many as are needed: 2–31 FileName, 15 characters
 *   a0  Volume GUID, a1 TexFAT Padding, e0 and e1 extensions of vendors: nothing that files are made of
 *
 * Bit 5 of a type says that who does not know it may do without (benign), bit 6 that it belongs to the one before it.
 * The SetChecksum is of all entries of the set but its own two bytes.
 *
 * Source: Microsoft, exFAT file system specification, sections 6 and 7.
 */
import { utf16Units } from '../utf16-name.ts';

/** How long an entry is, in bytes. */
export const entryLength = 32;

/** The first bytes of entries. */
export const entryTypes = { end: 0, bitmap: 0x81, upcaseTable: 0x82, label: 0x83, file: 0x85 } as const;
const streamExtension = 0xc0;
const fileName = 0xc1;
const inUse = 0x80;
const secondary = 0x40;
const benign = 0x20;

/** The bits of FileAttributes. */
const attributes = { readOnly: 1, directory: 0x10 } as const;

/** A file or directory, as its set of entries tells of it. */
export interface EntrySet {
  readonly name: Uint16Array;
  readonly isDirectory: boolean;
  readonly isReadOnly: boolean;
  readonly firstCluster: number;
  readonly isContiguous: boolean;
  /** In bytes; what is past `validLength` was never written, and reads as zeros. */
  readonly size: number;
  readonly validLength: number;
  /** The first entry, for its times. */
  readonly fileEntry: DataView;
}

/** How long the set is whose File entry is at byte `start`, in bytes. */
export function setLength(entries: Uint8Array, start: number): number {
  return (1 + entries[start + 1]!) * entryLength;
}

/** Whether a set may have a name of this many characters with this hash; most sets need not be decoded to be passed by. */
export function mayHaveName(set: Uint8Array, length: number, hash: number): boolean {
  const storedHash = set[entryLength + 4]! | (set[entryLength + 5]! << 8);
  return set.length >= 3 * entryLength && set[entryLength + 3] === length && storedHash === hash;
}

/** What the entries of one set say together, or in words what is wrong with them. */
export function decodeEntrySet(set: Uint8Array): EntrySet | string {
  const view = new DataView(set.buffer, set.byteOffset, set.length);
  if (set[0] !== entryTypes.file || set.length < 3 * entryLength) return 'is no file';
  if (view.getUint16(2, true) !== setChecksum(set)) return 'does not fit its checksum';
  if (set[entryLength] !== streamExtension) return 'has no Stream Extension';
  const name = nameOf(set);
  if (typeof name === 'string') return name;
  const stream = new DataView(set.buffer, set.byteOffset + entryLength, entryLength);
  const size = Number(stream.getBigUint64(24, true));
  const validLength = Number(stream.getBigUint64(8, true));
  const flags = stream.getUint8(1);
  const firstCluster = (flags & 1) === 0 ? 0 : stream.getUint32(20, true);
  if (!Number.isSafeInteger(size)) return `has ${size} bytes`;
  if (validLength > size) return `has ${size} bytes, of which ${validLength} were written`;
  if (firstCluster === 0 && size > 0) return `has ${size} bytes, and no clusters`;
  const fileAttributes = view.getUint16(4, true);
  return {
    ...{ name, size, validLength, firstCluster, isContiguous: (flags & 2) !== 0 },
    isDirectory: (fileAttributes & attributes.directory) !== 0,
    isReadOnly: (fileAttributes & attributes.readOnly) !== 0,
    fileEntry: new DataView(set.buffer, set.byteOffset, entryLength),
  };
}

/** A label's characters. */
export function labelOf(entry: Uint8Array): string {
  return String.fromCharCode(...utf16Units(entry.subarray(2, 2 + Math.min(entry[1]!, 11) * 2)));
}

function nameOf(set: Uint8Array): Uint16Array | string {
  const length = set[entryLength + 3]!;
  const count = Math.ceil(length / 15);
  const units: number[] = [];
  for (let index = 2; index < set.length / entryLength; index++) {
    const start = index * entryLength;
    const type = set[start]!;
    if ((type & (inUse | secondary)) !== (inUse | secondary)) return 'has entries in it that do not belong to it';
    if (index < 2 + count && type !== fileName) return `has a name of ${length} characters, which are not there`;
    if (index >= 2 + count && (type & benign) === 0) return `has an entry of an unknown type, ${type.toString(16)}`;
    if (type === fileName) units.push(...utf16Units(set.subarray(start + 2, start + entryLength)));
  }
  if (length === 0 || units.length < length) return `has a name of ${length} characters, which are not there`;
  return Uint16Array.from(units.slice(0, length));
}

function setChecksum(set: Uint8Array): number {
  let sum = 0;
  for (let index = 0; index < set.length; index++) {
    if (index === 2 || index === 3) continue;
    sum = ((((sum & 1) << 15) | (sum >> 1)) + set[index]!) & 0xffff;
  }
  return sum;
}
