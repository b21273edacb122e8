/*
 * Names, and extended attributes, are in items that hold one or, where names have one hash, several; little-endian:
 *
 *   byte   0  location, a key of 17 bytes     25  data_len (16 bit)     29  type (8 bit)
 *         17  transid (64 bit)                27  name_len (16 bit)     30  name, then data
 *
 * A name is there twice: by its hash, to be looked up, and by a number that grows, to be listed.
 *
 * Source: btrfs.readthedocs.io, "On-disk format", DIR_ITEM, DIR_INDEX, XATTR_ITEM.
 */
import type { FileKind } from '../file-system.ts';
import { entryKinds } from '../linux-inode.ts';
import { decodeKey, encodeKey, type Key } from './key.ts';
import { bytesOf, viewOf } from './little-endian.ts';

const headerLength = 30;
/** The top bit says that a name is encrypted. */
const kindMask = 0x7f;

/** One name of an item. */
export interface DirectoryItem {
  readonly name: Uint8Array;
  /** The key of the inode, or of the root of the subvolume, that it stands for. */
  readonly location: Key;
  readonly kind: FileKind | undefined;
  /** An attribute's value. */
  readonly data: Uint8Array;
  /** How it is stored: all of it. */
  readonly bytes: Uint8Array;
}

/** The names that an item holds. @throws what `corrupt` makes of a reason */
export function* namesIn(view: DataView, corrupt: (why: string) => Error): Generator<DirectoryItem> {
  const bytes = bytesOf(view);
  for (let start = 0; start < bytes.length; ) {
    const nameStart = start + headerLength;
    if (nameStart > bytes.length) throw corrupt(`a name at byte ${start} that is cut off`);
    const nameEnd = nameStart + view.getUint16(start + 27, true);
    const end = nameEnd + view.getUint16(start + 25, true);
    if (end > bytes.length) throw corrupt(`a name at byte ${start} that is cut off`);
    yield {
      name: bytes.slice(nameStart, nameEnd),
      location: decodeKey(view, start),
      kind: entryKinds[bytes[start + 29]! & kindMask],
      data: bytes.slice(nameEnd, end),
      bytes: bytes.slice(start, end),
    };
    start = end;
  }
}

/** A name of what is at `location`, as directories store it. */
export function encodeName(name: Uint8Array, location: Key, kind: FileKind): Uint8Array {
  const bytes = new Uint8Array(headerLength + name.length);
  bytes.set(bytesOf(encodeKey(location)));
  viewOf(bytes).setUint16(27, name.length, true);
  bytes[29] = Number(Object.keys(entryKinds).find((number) => entryKinds[Number(number)] === kind));
  bytes.set(name, headerLength);
  return bytes;
}

/** Whether a name may stand in a directory. */
export function isName(name: Uint8Array): boolean {
  return name.length > 0 && !isDots(name) && !name.includes(0x2f) && !name.includes(0);
}

function isDots(name: Uint8Array): boolean {
  return name.length <= 2 && name.every((byte) => byte === 0x2e);
}
