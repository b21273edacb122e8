/*
 * The tree of roots has an item for each tree; little-endian:
 *
 *   byte 160  generation     168  root_dirid, its uppermost directory     176  bytenr, its address
 *        208  flags          216  refs (32 bit), 0 when it is being deleted    238  level (8 bit)
 *
 * and for each subvolume in another one, the other way round too, in which directory and under which name:
 *
 *   byte   0  dirid            8  sequence            16  name_len (16 bit)     18  name
 *
 * What has no width here has 64 bits.
 *
 * Source: btrfs.readthedocs.io, "On-disk format", ROOT_ITEM, ROOT_REF, ROOT_BACKREF.
 */
import { bytesOf, u64 } from './little-endian.ts';
import type { TreePointer } from './superblock.ts';

/** Older ones end before what is not read here. */
const shortest = 239;
const referenceHeader = 18;

/** Where a tree is. */
export interface RootItem {
  readonly pointer: TreePointer;
  /** The inode of its uppermost directory, where it holds files. */
  readonly rootDirectory: number;
  readonly isDeleted: boolean;
}

/** Under which name a subvolume stands in another one. */
export interface RootReference {
  readonly directory: number;
  readonly name: Uint8Array;
}

/** Undefined where an item is too short to be one. */
export function decodeRootItem(view: DataView): RootItem | undefined {
  if (view.byteLength < shortest) return undefined;
  return {
    pointer: { address: u64(view, 176), level: view.getUint8(238), generation: u64(view, 160) },
    rootDirectory: u64(view, 168),
    isDeleted: view.getUint32(216, true) === 0,
  };
}

/** Undefined where an item is too short to be one. */
export function decodeRootReference(view: DataView): RootReference | undefined {
  if (view.byteLength < referenceHeader) return undefined;
  const end = referenceHeader + view.getUint16(16, true);
  if (end > view.byteLength) return undefined;
  return { directory: u64(view, 0), name: bytesOf(view).slice(referenceHeader, end) };
}
