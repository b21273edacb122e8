/*
 * An inode has a multiple of 32 bytes, by which they are counted (nid); little-endian:
 *
 *   compact  0  i_format: bit 0 extended, 1–3 layout      extended  0  i_format
 *            2  i_xattr_icount (16 bit)                             2  i_xattr_icount (16 bit)
 *            4  i_mode (16 bit)                                     4  i_mode (16 bit)
 *            6  i_nlink (16 bit)                                    8  i_size (64 bit)
 *            8  i_size                                             16  i_u
 *           16  i_u                                                20  i_ino
 *           20  i_ino                                              24  i_uid
 *           24  i_uid (16 bit)                                     28  i_gid
 *           26  i_gid (16 bit)                                     32  i_mtime (64 bit)
 *                                                                  40  i_mtime_nsec
 *                                                                  44  i_nlink
 *
 * i_u is the first block, a device's number, or how a file is cut into chunks, by the layout: 0 plain, 1 compressed, 2
 * plain with its end behind the inode, 3 compressed, 4 in chunks. Where i_xattr_icount is not 0, the attributes behind the
 * inode have 12 bytes and 4 for each after the first.
 *
 * Source: Linux, fs/erofs/erofs_fs.h (the layouts).
 */
import type { FileStat, Timestamp } from '../file-system.ts';
import { deviceOfNumber, kindOfMode } from '../linux-inode.ts';

/** By how many bytes inodes are counted. */
export const inodeUnit = 32;
const extendedLength = 64;
const formatExtended = 1;
/** The most bytes that an inode has, without attributes. */
export const longestInode = extendedLength;

/** How a file's bytes are laid out. */
export const layouts = { plain: 0, compressedFull: 1, inline: 2, compressedCompact: 3, chunks: 4 } as const;

/** An inode. */
export interface Inode {
  readonly stat: FileStat;
  readonly layout: number;
  /** i_u */
  readonly start: number;
  /** Where its attributes begin on the device, and their length, in bytes. */
  readonly attributes: { readonly place: number; readonly length: number };
}

/** Takes an inode at byte `place` of the device apart; a text where it cannot be one. */
export function decodeInode(view: DataView, place: number, buildTime: Timestamp, blockSize: number): Inode | string {
  const format = view.getUint16(0, true);
  const isExtended = (format & formatExtended) !== 0;
  const layout = (format >>> 1) & 7;
  const mode = view.getUint16(4, true);
  const kind = kindOfMode(mode);
  const size = isExtended ? Number(view.getBigUint64(8, true)) : view.getUint32(8, true);
  if (kind === undefined || layout > layouts.chunks || format >>> 4 !== 0)
    return `has mode ${mode} and format ${format}`;
  if (!Number.isSafeInteger(size)) return 'has a size over 2^53';
  const start = view.getUint32(16, true);
  const count = view.getUint16(2, true);
  const time = isExtended ? ownTime(view) : buildTime;
  return {
    stat: {
      ...{ inode: view.getUint32(20, true), kind, mode: mode & 0o7777, size },
      links: isExtended ? view.getUint32(44, true) : view.getUint16(6, true),
      uid: isExtended ? view.getUint32(24, true) : view.getUint16(24, true),
      gid: isExtended ? view.getUint32(28, true) : view.getUint16(26, true),
      allocated: Math.ceil(size / blockSize) * blockSize,
      ...{ accessed: time, modified: time, changed: time },
      device: kind === 'block' || kind === 'character' ? deviceOfNumber(start) : undefined,
    },
    ...{ layout, start },
    attributes: {
      place: place + (isExtended ? extendedLength : inodeUnit),
      length: count === 0 ? 0 : 12 + (count - 1) * 4,
    },
  };
}

function ownTime(view: DataView): Timestamp {
  return { seconds: Number(view.getBigInt64(32, true)), nanoseconds: view.getUint32(40, true) % 1e9 };
}
