/*
 * Everything in a tree is an item with a key, by which a tree is sorted; little-endian:
 *
 *   byte  0  objectid (64 bit)     8  type (8 bit)     9  offset (64 bit)
 *
 * The objects that Btrfs has for itself are numbered from 2^64 downwards, so numbers over 2^63 are negative here, and sorted
 * behind all others.
 *
 * Source: btrfs.readthedocs.io, "On-disk format", keys and "Item types".
 */
import { s64, setU64 } from './little-endian.ts';

/** In bytes. */
export const keyLength = 17;

/** What kind an item is of. */
export const itemTypes = {
  ...{ inode: 1, inodeReference: 12, extendedReference: 13, attribute: 24, loggedRange: 72 },
  ...{ directoryItem: 84, directoryIndex: 96, extentData: 108, checksums: 128 },
  ...{ root: 132, rootBackReference: 144, rootReference: 156, extent: 168, metadata: 169, blockGroup: 192, chunk: 228 },
} as const;

/** The trees, and other objects, that have a number of their own. */
export const objectIds = {
  ...{ extentTree: 2, fileTree: 5, rootDirectory: 6, checksumTree: 7, blockGroupTree: 11 },
  ...{ treeLog: -6, checksums: -10, emptySubvolume: 2, firstChunk: 256, firstFree: 256 },
} as const;

/** The largest `offset` of a key. */
export const largestOffset = -1;

/** An item's key. */
export interface Key {
  readonly objectid: number;
  readonly type: number;
  readonly offset: number;
}

/** The key at byte `at`. */
export function decodeKey(view: DataView, at: number): Key {
  return { objectid: s64(view, at), type: view.getUint8(at + 8), offset: s64(view, at + 9) };
}

/** A key as it is on a disk. */
export function encodeKey({ objectid, type, offset }: Key): DataView {
  const view = new DataView(new ArrayBuffer(keyLength));
  setU64(view, 0, objectid);
  view.setUint8(8, type);
  setU64(view, 9, offset);
  return view;
}

/** Below 0 where the key at byte `at` of a view comes before the one at byte `otherAt` of another, over 0 where after it. */
export function compareKeys(view: DataView, at: number, other: DataView, otherAt: number): number {
  return (
    compareNumbers(view, at, other, otherAt) ||
    view.getUint8(at + 8) - other.getUint8(otherAt + 8) ||
    compareNumbers(view, at + 9, other, otherAt + 9)
  );
}

/** The same for keys that were taken apart. */
export function orderKeys(one: Key, other: Key): number {
  return order(one.objectid, other.objectid) || one.type - other.type || order(one.offset, other.offset);
}

/** The last key before another one; undefined for the first of all, and for numbers that are not exact. */
export function keyBefore({ objectid, type, offset }: Key): Key | undefined {
  if (!Number.isSafeInteger(offset) || !Number.isSafeInteger(objectid)) return undefined;
  if (offset !== 0) return { objectid, type, offset: offset - 1 };
  if (type > 0) return { objectid, type: type - 1, offset: largestOffset };
  return objectid === 0 ? undefined : { objectid: objectid - 1, type: 255, offset: largestOffset };
}

/** How a key is written in messages: `(256 INODE_ITEM 0)` is `256/1/0`. */
export function nameOfKey({ objectid, type, offset }: Key): string {
  return `${objectid}/${type}/${offset}`;
}

/** Numbers below 0 come last. */
function order(one: number, other: number): number {
  return one < 0 === other < 0 ? one - other : other - one;
}

function compareNumbers(view: DataView, at: number, other: DataView, otherAt: number): number {
  const high = view.getUint32(at + 4, true) - other.getUint32(otherAt + 4, true);
  return high !== 0 ? high : view.getUint32(at, true) - other.getUint32(otherAt, true);
}
