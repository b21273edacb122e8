/*
 * An entry of a directory, little-endian:
 *
 *   byte  0  inode, 0 for none          6  name_len (8 bit; 16 where file_type is not kept)
 *         4  rec_len (16 bit)           7  file_type (8 bit)
 *                                       8  name
 *
 * Entries fill their block. With checksums the last one is a tail: inode 0, rec_len 12, file_type de, and at its byte 8
 * the checksum of what is before it. Directories with an index keep it where linear readers see one unused entry.
 *
 * Source: Linux, Documentation/filesystems/ext4/directory.rst.
 */
import type { DirectoryEntry } from '../file-system.ts';
import { entryKinds } from '../linux-inode.ts';
import { asStored, chained } from './checksum.ts';

const headerLength = 8;
const tailLength = 12;
const tailType = 0xde;

/** How entries are to be read. */
export interface EntriesOptions {
  readonly hasFileType: boolean;
  /** Makes the error for what is wrong. */
  readonly corrupt: (why: string) => Error;
}

/**
 * The names in a block of a directory, or in an inode's own bytes, without `.` and `..`. Names are parts of those bytes.
 * Hot: whoever lists a whole disk comes by here for each name.
 */
export function entriesIn(bytes: Uint8Array, { hasFileType, corrupt }: EntriesOptions): DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  for (let offset = 0; offset < bytes.length; ) {
    if (offset + headerLength > bytes.length) throw corrupt(`an entry at byte ${offset} that is cut off`);
    const node = view.getUint32(offset, true);
    const length = recordLength(view.getUint16(offset + 4, true), bytes.length);
    const nameLength = hasFileType ? bytes[offset + 6]! : view.getUint16(offset + 6, true);
    if (length < headerLength || length % 4 !== 0 || offset + length > bytes.length) {
      throw corrupt(`an entry at byte ${offset} of ${length} bytes`);
    }
    if (node !== 0) {
      if (headerLength + nameLength > length) throw corrupt(`a name at byte ${offset} of ${nameLength} bytes`);
      const name = bytes.subarray(offset + headerLength, offset + headerLength + nameLength);
      const kind = hasFileType ? entryKinds[bytes[offset + 7]!] : undefined;
      if (isName(name)) entries.push({ name, node, kind });
      else if (!isDots(name)) throw corrupt(`a name at byte ${offset} that cannot be one`);
    }
    offset += length;
  }
  return entries;
}

/** What `..` is, which is the second entry of a directory's first block; undefined where it is not there. */
export function parentIn(bytes: Uint8Array): number | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const offset = recordLength(view.getUint16(4, true), bytes.length);
  if (offset < headerLength || offset + headerLength + 2 > bytes.length) return undefined;
  const isParent = bytes[offset + 6] === 2 && bytes[offset + 8] === 0x2e && bytes[offset + 9] === 0x2e;
  return isParent ? view.getUint32(offset, true) : undefined;
}

/** Blocks of 64 KiB cannot say their own length in 16 bits. */
function recordLength(stored: number, blockLength: number): number {
  if (blockLength < 65_536) return stored;
  return stored === 65_535 || stored === 0 ? blockLength : (stored & 0xfffc) | ((stored & 3) << 16);
}

/** Whether bytes can be a name in a directory. */
export function isName(name: Uint8Array): boolean {
  return name.length > 0 && !isDots(name) && !name.includes(0x2f) && !name.includes(0);
}

function isDots(name: Uint8Array): boolean {
  return (name.length === 1 && name[0] === 0x2e) || (name.length === 2 && name[0] === 0x2e && name[1] === 0x2e);
}

/** What is wrong with a block's checksum, if it has one: blocks of an index keep theirs elsewhere. */
export function checksumProblem(block: DataView, seed: number): string | undefined {
  const tail = block.byteLength - tailLength;
  if (lastRecord(block) !== tail || block.getUint8(tail + 7) !== tailType) return undefined;
  const sum = chained(seed, new Uint8Array(block.buffer, block.byteOffset, tail));
  return asStored(sum) === block.getUint32(tail + 8, true) ? undefined : 'does not fit its checksum';
}

/** Where the last entry begins: what is left of older ones behind an index is none. */
function lastRecord(block: DataView): number {
  let last = 0;
  for (let offset = 0; offset + headerLength <= block.byteLength; ) {
    last = offset;
    offset += Math.max(headerLength, recordLength(block.getUint16(offset + 4, true), block.byteLength));
  }
  return last;
}
