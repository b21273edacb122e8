/*
 * An inode, 160 bytes; little-endian:
 *
 *   byte   0  generation     24  nbytes              48  gid (32 bit)      64  flags
 *          8  transid        40  nlink (32 bit)      52  mode (32 bit)    112  atime     136  mtime
 *         16  size           44  uid (32 bit)        56  rdev             124  ctime     148  otime
 *
 * A time is seconds (64 bit, with a sign) and nanoseconds (32 bit). rdev has the major number above 20 bits of minor number.
 * What has no width here has 64 bits.
 *
 * Source: btrfs.readthedocs.io, "On-disk format", INODE_ITEM; btrfs(5), "File attributes" (flags).
 */
import type { FileKind, FileStat, Timestamp } from '../file-system.ts';
import { kindOfMode } from '../linux-inode.ts';
import { s64, u64 } from './little-endian.ts';

/** In bytes. */
const inodeLength = 160;
/** Where some of its fields are, in bytes. */
export const inodeFields = { generation: 0, size: 16, nbytes: 24, links: 40 } as const;
const noChecksums = 1;

/** What an inode says. */
export interface Inode {
  readonly number: number;
  readonly stat: FileStat;
  /** Its content has no checksums. */
  readonly isUnchecked: boolean;
}

/** What kind of file an inode is; undefined where it cannot be one. */
export function inodeKind(view: DataView): FileKind | undefined {
  if (view.byteLength < inodeLength) return undefined;
  const mode = view.getUint32(52, true);
  return mode > 0xffff ? undefined : kindOfMode(mode);
}

/** Takes an inode apart; a text where it cannot be one. */
export function decodeInode(view: DataView, number: number, sectorSize: number): Inode | string {
  if (view.byteLength < inodeLength) return `has ${view.byteLength} bytes`;
  const mode = view.getUint32(52, true);
  const kind = inodeKind(view);
  if (kind === undefined) return `is of no known kind (mode ${mode.toString(8)})`;
  const size = u64(view, inodeFields.size);
  if (!Number.isSafeInteger(size)) return `says that it has ${size} bytes`;
  const allocated = Math.ceil(u64(view, inodeFields.nbytes) / sectorSize) * sectorSize;
  if (!Number.isSafeInteger(allocated)) return `says that it takes ${allocated} bytes`;
  const rdev = view.getUint32(56, true);
  const isDevice = kind === 'block' || kind === 'character';
  const stat: FileStat = {
    ...{ inode: number, kind, mode: mode & 0o7777, links: view.getUint32(inodeFields.links, true) },
    ...{ uid: view.getUint32(44, true), gid: view.getUint32(48, true), size, allocated },
    ...{ accessed: timeAt(view, 112), changed: timeAt(view, 124) },
    ...{ modified: timeAt(view, 136), created: timeAt(view, 148) },
    device: isDevice ? { major: rdev >>> 20, minor: rdev & 0xf_ffff } : undefined,
  };
  return { number, stat, isUnchecked: (view.getUint32(64, true) & noChecksums) !== 0 };
}

function timeAt(view: DataView, offset: number): Timestamp {
  return { seconds: s64(view, offset), nanoseconds: Math.min(999_999_999, view.getUint32(offset + 8, true)) };
}
