/*
 * Names in a directory, big-endian. In the blocks of one, each entry
 *
 *   byte  0  inumber (64 bit)     8  namelen (8 bit)     9  name, then ftype (8 bit) where kinds are kept
 *
 * is padded so that it ends at a multiple of 8, and its last two bytes say where in the block it is. What is not in use
 * has ffff at byte 0 and its length at byte 2 (16 bit each), and says where it is in the same way.
 *
 * In an inode there is a header, count, i8count (8 bit each) and the parent, and then entries
 *
 *   byte  0  namelen (8 bit)     1  offset (16 bit)     3  name, then ftype (8 bit) where kinds are kept, then inumber
 *
 * whose inodes' numbers, like the parent's, have 64 bits where i8count is not 0, else 32.
 *
 * Source: XFS Algorithms & Data Structures, "Short Form Directories" and "Block Directories".
 */
import type { DirectoryEntry } from '../file-system.ts';
import { entryKinds } from '../linux-inode.ts';
import { u64 } from './big-endian.ts';
import { bytesOf } from './metadata-header.ts';

const unused = 0xffff;
const nameStart = 9;
const tagLength = 2;

/** How entries are to be read. */
export interface EntriesOptions {
  readonly hasFileType: boolean;
  /** Makes the error for what is wrong. */
  readonly corrupt: (why: string) => Error;
}

/** An entry of a block: where the next one begins, and what it says, unless it is not in use, or `.` or `..`. */
interface StoredEntry {
  readonly end: number;
  readonly entry: DirectoryEntry | undefined;
}

/** The names in the bytes of a block from `start` up to `end`, without `.` and `..`. */
export function* entriesIn(
  view: DataView,
  { start, end }: { readonly start: number; readonly end: number },
  options: EntriesOptions,
): Generator<DirectoryEntry> {
  const area = new DataView(view.buffer, view.byteOffset, end);
  for (let offset = start; offset < end; ) {
    const { entry, end: next } = entryAt(area, offset, options);
    if (entry !== undefined) yield entry;
    offset = next;
  }
}

/** The entry at byte `offset` of a block, which ends with the view. */
export function entryAt(view: DataView, offset: number, { hasFileType, corrupt }: EntriesOptions): StoredEntry {
  if (offset + 8 > view.byteLength) throw corrupt(`an entry at byte ${offset} that is cut off`);
  const isUnused = view.getUint16(offset) === unused;
  const nameLength = isUnused || offset + nameStart > view.byteLength ? 0 : view.getUint8(offset + 8);
  const used = nameStart + nameLength + (hasFileType ? 1 : 0) + tagLength;
  const length = isUnused ? view.getUint16(offset + 2) : Math.ceil(used / 8) * 8;
  const end = offset + length;
  if (length < 8 || length % 8 !== 0 || end > view.byteLength) {
    throw corrupt(`an entry at byte ${offset} of ${length} bytes`);
  }
  if (view.getUint16(end - tagLength) !== offset)
    throw corrupt(`an entry at byte ${offset} that is not marked as such`);
  if (isUnused) return { end, entry: undefined };
  const name = bytesOf(view).slice(offset + nameStart, offset + nameStart + nameLength);
  const kind = hasFileType ? entryKinds[view.getUint8(offset + nameStart + nameLength)] : undefined;
  return { end, entry: checked({ name, node: u64(view, offset), kind }, offset, corrupt) };
}

/** The names that an inode holds in itself. */
export function* shortEntriesIn(view: DataView, { hasFileType, corrupt }: EntriesOptions): Generator<DirectoryEntry> {
  if (view.byteLength < 6) throw corrupt('no room for a header');
  const numberLength = view.getUint8(1) > 0 ? 8 : 4;
  let offset = 2 + numberLength;
  for (let left = view.getUint8(0); left > 0; left--) {
    const nameLength = offset < view.byteLength ? view.getUint8(offset) : 0;
    const kindAt = offset + 3 + nameLength;
    const numberAt = kindAt + (hasFileType ? 1 : 0);
    if (numberAt + numberLength > view.byteLength) throw corrupt(`an entry at byte ${offset} that is cut off`);
    const name = bytesOf(view).slice(offset + 3, kindAt);
    const node = numberLength === 8 ? u64(view, numberAt) : view.getUint32(numberAt);
    const entry = checked(
      { name, node, kind: hasFileType ? entryKinds[view.getUint8(kindAt)] : undefined },
      offset,
      corrupt,
    );
    if (entry !== undefined) yield entry;
    offset = numberAt + numberLength;
  }
}

function checked(
  entry: DirectoryEntry,
  offset: number,
  corrupt: EntriesOptions['corrupt'],
): DirectoryEntry | undefined {
  const { name, node } = entry;
  if (isDots(name)) return undefined;
  if (name.length === 0 || name.includes(0x2f) || name.includes(0)) {
    throw corrupt(`a name at byte ${offset} that cannot be one`);
  }
  if (!Number.isSafeInteger(node)) throw corrupt(`an entry at byte ${offset} for inode ${node}`);
  return entry;
}

/** Whether a name is `.` or `..`. */
export function isDots(name: Uint8Array): boolean {
  return name.length > 0 && name.length <= 2 && name.every((byte) => byte === 0x2e);
}
