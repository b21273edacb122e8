/*
 * An inode: 128 bytes or more, little-endian.
 *
 *   byte   0  i_mode (16 bit)       100  i_generation               128  i_extra_isize (16 bit)
 *          2  i_uid (16 bit)        104  i_file_acl_lo              130  i_checksum_hi (16 bit)
 *          4  i_size_lo             108  i_size_high                132  i_ctime_extra
 *          8  i_atime               116  l_i_blocks_high (16 bit)   136  i_mtime_extra
 *         12  i_ctime               118  l_i_file_acl_high (16 bit) 140  i_atime_extra
 *         16  i_mtime               120  l_i_uid_high (16 bit)      144  i_crtime
 *         24  i_gid (16 bit)        122  l_i_gid_high (16 bit)      148  i_crtime_extra
 *         26  i_links_count (16)    124  l_i_checksum_lo (16 bit)
 *         28  i_blocks_lo
 *         32  i_flags
 *         40  i_block, 60 bytes
 *
 * The …_extra fields: two bits that continue the seconds beyond 2038, and 30 bits of nanoseconds.
 *
 * Source: Linux, Documentation/filesystems/ext4/inodes.rst.
 */
import { crc32c } from '../../bytes/crc32c.ts';
import type { FileStat, Timestamp } from '../file-system.ts';
import { deviceOfNumber, kindOfMode } from '../linux-inode.ts';
import { asStored, chained } from './checksum.ts';

/** Bits of `flags`. */
export const inodeFlags = {
  encrypted: 0x800,
  index: 0x1000,
  hugeFile: 0x4_0000,
  extents: 0x8_0000,
  inlineData: 0x1000_0000,
  ignoresCase: 0x4000_0000,
} as const;

/** Blocks up to this length, in bytes, are kept for as long as an inode that stands in them. */
const largestKept = 4096;

/** What an inode says, but for what `stat` holds of it already. */
export interface Inode {
  readonly number: number;
  readonly stat: FileStat;
  readonly flags: number;
  /** The root of the tree of extents, the block numbers, a short symlink or the start of inline data: 60 bytes. */
  readonly blockArea: Uint8Array;
  /** The block that holds more extended attributes, 0 for none. */
  readonly attributeBlock: number;
  /** What follows the fields: the extended attributes inside the inode. */
  readonly tail: Uint8Array;
  /** With which the checksums of its blocks begin. */
  readonly checksumSeed: number;
}

/** What decoding depends on. */
export interface InodeContext {
  readonly blockSize: number;
  readonly checksumSeed: number;
  readonly hasChecksums: boolean;
}

/** Takes an inode apart; a text where it cannot be one. */
export function decodeInode(bytes: Uint8Array, number: number, context: InodeContext): Inode | string {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const generation = view.getUint32(100, true);
  const checksumSeed = chained(context.checksumSeed, number, generation);
  const extraLength = bytes.length > 128 ? view.getUint16(128, true) : 0;
  if (128 + extraLength > bytes.length || extraLength % 4 !== 0) return `says that it has ${extraLength} more bytes`;
  if (context.hasChecksums && !checksumFits(bytes, view, checksumSeed, extraLength)) return 'does not fit its checksum';
  const mode = view.getUint16(0, true);
  const kind = kindOfMode(mode);
  if (kind === undefined) return `is of no known kind (mode ${mode.toString(8)})`;
  const flags = view.getUint32(32, true);
  const size = view.getUint32(4, true) + view.getUint32(108, true) * 2 ** 32;
  if (!Number.isSafeInteger(size)) return `says that it has ${size} bytes`;
  // What is kept is part of its block, unless that is much larger than what is kept.
  const own = context.blockSize <= largestKept ? bytes : bytes.slice();
  const blockArea = own.subarray(40, 100);
  // Hot: without objects that are only there to be spread.
  const stat: FileStat = {
    inode: number,
    kind,
    mode: mode & 0o7777,
    links: view.getUint16(26, true),
    size,
    uid: view.getUint16(2, true) + view.getUint16(120, true) * 0x1_0000,
    gid: view.getUint16(24, true) + view.getUint16(122, true) * 0x1_0000,
    allocated: allocatedOf(view, { flags, blockSize: context.blockSize, inline: kind === 'file' ? size : 0 }),
    accessed: timeOf(view, 8, extraLength >= 16 ? 140 : 0),
    modified: timeOf(view, 16, extraLength >= 12 ? 136 : 0),
    changed: timeOf(view, 12, extraLength >= 8 ? 132 : 0),
    created: extraLength >= 24 ? timeOf(view, 144, 148) : undefined,
    device: kind === 'block' || kind === 'character' ? deviceOf(blockArea) : undefined,
  };
  const attributeBlock = view.getUint32(104, true) + view.getUint16(118, true) * 2 ** 32;
  const tail = own.subarray(Math.min(own.length, 128 + extraLength));
  return { number, flags, blockArea, checksumSeed, stat, attributeBlock, tail };
}

/** An inode with zeros for its checksum. */
let scratch = new Uint8Array(256);

/** Has an inode's bytes, which were changed, fit their checksum again. */
export function sealInode(bytes: Uint8Array, number: number, { checksumSeed, hasChecksums }: InodeContext): void {
  if (!hasChecksums) return;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const hasHigh = bytes.length > 128 && view.getUint16(128, true) >= 4;
  const sum = asStored(checksumOf(bytes, chained(checksumSeed, number, view.getUint32(100, true)), hasHigh));
  view.setUint16(124, sum & 0xffff, true);
  if (hasHigh) view.setUint16(130, sum >>> 16, true);
}

function checksumFits(bytes: Uint8Array, view: DataView, seed: number, extraLength: number): boolean {
  const hasHigh = bytes.length > 128 && extraLength >= 4;
  const sum = checksumOf(bytes, seed, hasHigh);
  const stored = view.getUint16(124, true) + (hasHigh ? view.getUint16(130, true) * 0x1_0000 : 0);
  return (hasHigh ? asStored(sum) : asStored(sum) & 0xffff) === stored;
}

function checksumOf(bytes: Uint8Array, seed: number, hasHigh: boolean): number {
  if (scratch.length !== bytes.length) scratch = new Uint8Array(bytes.length);
  scratch.set(bytes);
  scratch.fill(0, 124, 126);
  if (hasHigh) scratch.fill(0, 130, 132);
  return crc32c(scratch, seed);
}

/** What of a file is inside its inode counts as Linux counts it, or programs would take it for a hole. */
function allocatedOf(
  view: DataView,
  { blockSize, flags, inline: size }: { readonly blockSize: number; readonly flags: number; readonly inline: number },
): number {
  const count = view.getUint32(28, true) + view.getUint16(116, true) * 2 ** 32;
  const inline = (flags & inodeFlags.inlineData) === 0 ? 0 : Math.ceil(size / 512) * 512;
  return inline + count * ((flags & inodeFlags.hugeFile) === 0 ? 512 : blockSize);
}

/** The time whose seconds are at byte `offset`, and what continues them at byte `extra`; 0 for none. */
function timeOf(view: DataView, offset: number, extra: number): Timestamp {
  const more = extra === 0 ? 0 : view.getUint32(extra, true);
  return { seconds: view.getInt32(offset, true) + (more & 3) * 2 ** 32, nanoseconds: more >>> 2 };
}

/** Source: inodes.rst, "i_block": the old encoding in the first number, where it is not 0, else the new one. */
function deviceOf(blockArea: Uint8Array): { major: number; minor: number } {
  const view = new DataView(blockArea.buffer, blockArea.byteOffset);
  const old = view.getUint32(0, true);
  if (old !== 0) return { major: (old >>> 8) & 0xff, minor: old & 0xff };
  return deviceOfNumber(view.getUint32(4, true));
}
