/*
 * The names of an inode are in an item for each directory, by that directory; little-endian, over and over:
 *
 *   byte   0  index (64 bit)     8  name_len (16 bit)     10  name
 *
 * and where there is no room left in that, in items by a hash (INODE_EXTREF):
 *
 *   byte   0  parent_objectid (64 bit)     8  index (64 bit)     16  name_len (16 bit)     18  name
 *
 * Source: btrfs.readthedocs.io, "On-disk format", INODE_REF, INODE_EXTREF.
 */
import { itemTypes } from './key.ts';
import { bytesOf, setU64, u64, viewOf } from './little-endian.ts';
import type { Item } from './tree.ts';

const shortHeader = 10;

/** A name of an inode. */
export interface InodeReference {
  /** The directory that the name is in. */
  readonly parent: number;
  /** Under which number it is listed there. */
  readonly index: number;
  readonly name: Uint8Array;
  /** How it is stored: all of it. */
  readonly bytes: Uint8Array;
}

/** The names in an item of either kind; what is cut off at its end is left out. */
export function* referencesIn({ key, view }: Item): Generator<InodeReference> {
  const bytes = bytesOf(view);
  const isExtended = key.type === itemTypes.extendedReference;
  const header = isExtended ? 18 : shortHeader;
  for (let start = 0; start + header <= bytes.length; ) {
    const nameStart = start + header;
    const end = nameStart + view.getUint16(nameStart - 2, true);
    if (end > bytes.length) return;
    const parent = isExtended ? u64(view, start) : key.offset;
    const index = u64(view, nameStart - 10);
    yield { parent, index, name: bytes.slice(nameStart, end), bytes: bytes.slice(start, end) };
    start = end;
  }
}

/** A name as an item for a directory stores it. */
export function encodeReference(name: Uint8Array, index: number): Uint8Array {
  const bytes = new Uint8Array(shortHeader + name.length);
  setU64(viewOf(bytes), 0, index);
  viewOf(bytes).setUint16(8, name.length, true);
  bytes.set(name, shortHeader);
  return bytes;
}
