/*
 * A block of a directory begins with its entries, 12 bytes each, little-endian; names follow, without anything between
 * them, and the last one ends with the block or a 0:
 *
 *   byte  0  nid (64 bit)       10  file_type (8 bit)
 *         8  nameoff (16 bit), of the first entry also how long all entries are
 *
 * Source: Linux, fs/erofs/erofs_fs.h and Documentation/filesystems/erofs.rst, "Directories".
 */
import type { DirectoryEntry } from '../file-system.ts';
import { entryKinds } from '../linux-inode.ts';

const entryLength = 12;

/** The names in a block of a directory, without `.` and `..`. @throws what `corrupt` makes of a reason */
export function* entriesIn(block: Uint8Array, corrupt: (why: string) => Error): Generator<DirectoryEntry> {
  const view = new DataView(block.buffer, block.byteOffset, block.length);
  const names = block.length < entryLength ? 0 : view.getUint16(8, true);
  if (names < entryLength || names % entryLength !== 0 || names > block.length)
    throw corrupt(`${names} bytes of entries`);
  for (let offset = 0; offset < names; offset += entryLength) {
    const start = view.getUint16(offset + 8, true);
    const isLast = offset + entryLength === names;
    const end = isLast ? block.length : view.getUint16(offset + entryLength + 8, true);
    if (start < names || end < start || end > block.length) throw corrupt(`a name from byte ${start} to ${end}`);
    const name = withoutPadding(block.slice(start, end));
    const node = view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
    if (isDots(name)) continue;
    if (name.length === 0 || name.includes(0x2f) || !Number.isSafeInteger(node))
      throw corrupt(`a wrong name at byte ${start}`);
    yield { name, node, kind: entryKinds[block[offset + 10]!] };
  }
}

function withoutPadding(name: Uint8Array): Uint8Array {
  const end = name.indexOf(0);
  return end === -1 ? name : name.subarray(0, end);
}

function isDots(name: Uint8Array): boolean {
  return name.length > 0 && name.length <= 2 && name.every((byte) => byte === 0x2e);
}
