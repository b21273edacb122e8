/*
 * An inode: 100 bytes of fields, or 176 in version 3, and then its forks; big-endian.
 *
 *   byte   0  di_magic, "IN" (16 bit)    40  di_mtime (64 bit)           90  di_flags (16 bit)
 *          2  di_mode (16 bit)           48  di_ctime (64 bit)          100  di_crc, little-endian
 *          4  di_version (8 bit)         56  di_size (64 bit)           120  di_flags2 (64 bit)
 *          5  di_format (8 bit)          64  di_nblocks (64 bit)        144  di_crtime (64 bit)
 *          6  di_onlink (16 bit)         76  di_nextents                152  di_ino (64 bit)
 *          8  di_uid                     80  di_anextents (16 bit)      160  di_uuid, 16 bytes
 *         12  di_gid                     82  di_forkoff (8 bit)
 *         16  di_nlink                   83  di_aformat (8 bit)
 *         32  di_atime (64 bit)
 *
 * Formats of forks: 0 device, 1 local, 2 extents, 3 B+tree. The attribute fork begins di_forkoff times 8 bytes behind the
 * fields, the data fork with them. With flag 10 of di_flags2 the data fork's extents are counted at byte 24 (64 bit), and
 * the attribute fork's at byte 76. A time is seconds and nanoseconds, or with flag 8 of di_flags2 nanoseconds since 2^31
 * seconds before 1970.
 *
 * Source: XFS Algorithms & Data Structures, "On-disk Inode"; Linux, fs/xfs/libxfs/xfs_format.h (device numbers, large
 * counts).
 */
import { isEqual } from '../../bytes/is-equal.ts';
import type { FileKind, FileStat, Timestamp } from '../file-system.ts';
import { kindOfMode } from '../linux-inode.ts';
import { u64 } from './big-endian.ts';
import { bytesOf, fitsChecksum } from './metadata-header.ts';
import type { Superblock } from './superblock.ts';

const magic = 0x494e;
const oldHeaderLength = 100;
const headerLength = 176;
const flagRealtime = 1;
const flags2 = { bigTime: 0x8, largeCounts: 0x10 } as const;
const bigTimeStart = 2 ** 31;

const formats = ['device', 'local', 'extents', 'btree'] as const;

/** One of an inode's two contents: its data, or its attributes. */
export interface Fork {
  /** As errors name it: `the data fork of inode 131`. */
  readonly name: string;
  readonly inode: number;
  readonly format: (typeof formats)[number];
  /** Its own bytes in the inode. */
  readonly view: DataView;
  readonly extentCount: number;
}

/** What an inode says, but for what `stat` holds of it already. */
export interface Inode {
  readonly number: number;
  readonly stat: FileStat;
  /** Its data is on the realtime device. */
  readonly isRealtime: boolean;
  readonly data: Fork;
  readonly attributes: Fork | undefined;
}

/** Takes an inode apart; a text where it cannot be one. */
export function decodeInode(bytes: DataView, number: number, superblock: Superblock): Inode | string {
  // A copy: forks are kept for longer than the block.
  const view = new DataView(bytesOf(bytes).slice().buffer);
  const problem = problemOf(view, number, superblock);
  if (problem !== undefined) return problem;
  const kind = kindOfMode(view.getUint16(2));
  if (kind === undefined) return `is of no known kind (mode ${view.getUint16(2).toString(8)})`;
  const stat = statOf(view, { number, kind, blockSize: superblock.blockSize });
  if (!Number.isSafeInteger(stat.size)) return `says that it has ${stat.size} bytes`;
  if (!Number.isSafeInteger(stat.allocated)) return `says that it takes ${stat.allocated} bytes`;
  const forks = forksOf(view, number);
  if (typeof forks === 'string') return forks;
  return { number, stat, isRealtime: kind === 'file' && (view.getUint16(90) & flagRealtime) !== 0, ...forks };
}

function problemOf(view: DataView, number: number, { version, metaUuid }: Superblock): string | undefined {
  if (view.getUint16(0) !== magic) return 'has no magic';
  const inodeVersion = view.getUint8(4);
  if (version === 4) return inodeVersion === 1 || inodeVersion === 2 ? undefined : `is of version ${inodeVersion}`;
  if (inodeVersion !== 3) return `is of version ${inodeVersion}`;
  if (!fitsChecksum(view, 100)) return 'does not fit its checksum';
  if (u64(view, 152) !== number) return `says that it is inode ${u64(view, 152)}`;
  return isEqual(bytesOf(view).subarray(160, 176), metaUuid) ? undefined : 'belongs to another file system';
}

interface StatContext {
  readonly number: number;
  readonly kind: FileKind;
  readonly blockSize: number;
}

function statOf(view: DataView, { number, kind, blockSize }: StatContext): FileStat {
  const isNew = view.getUint8(4) === 3;
  const isBig = isNew && (flags2Of(view) & flags2.bigTime) !== 0;
  const time = (offset: number) => (isBig ? bigTimeAt(view, offset) : timeAt(view, offset));
  return {
    ...{ inode: number, kind, mode: view.getUint16(2) & 0o7777 },
    links: view.getUint8(4) === 1 ? view.getUint16(6) : view.getUint32(16),
    ...{ uid: view.getUint32(8), gid: view.getUint32(12) },
    ...{ size: u64(view, 56), allocated: u64(view, 64) * blockSize },
    ...{ accessed: time(32), modified: time(40), changed: time(48), created: isNew ? time(144) : undefined },
    device: kind === 'block' || kind === 'character' ? deviceOf(view) : undefined,
  };
}

function flags2Of(view: DataView): number {
  return view.getUint32(124);
}

function timeAt(view: DataView, offset: number): Timestamp {
  return { seconds: view.getInt32(offset), nanoseconds: Math.min(999_999_999, view.getUint32(offset + 4)) };
}

function bigTimeAt(view: DataView, offset: number): Timestamp {
  const time = view.getBigUint64(offset);
  return { seconds: Number(time / 1_000_000_000n) - bigTimeStart, nanoseconds: Number(time % 1_000_000_000n) };
}

/** As System V has it: 14 bits and 18. */
function deviceOf(view: DataView): { major: number; minor: number } {
  const device = view.getUint32(view.getUint8(4) === 3 ? headerLength : oldHeaderLength);
  return { major: device >>> 18, minor: device & 0x3_ffff };
}

function forksOf(view: DataView, inode: number): Pick<Inode, 'data' | 'attributes'> | string {
  const start = view.getUint8(4) === 3 ? headerLength : oldHeaderLength;
  const room = view.byteLength - start;
  const attributeOffset = view.getUint8(82) * 8;
  if (attributeOffset >= room) return `has a fork of attributes at byte ${start + attributeOffset}`;
  const dataLength = attributeOffset === 0 ? room : attributeOffset;
  const isLarge = start === headerLength && (flags2Of(view) & flags2.largeCounts) !== 0;
  const [dataFormat, attributeFormat] = [formats[view.getUint8(5)], formats[view.getUint8(83)]];
  if (dataFormat === undefined) return `has data in format ${view.getUint8(5)}`;
  const data: Fork = {
    ...{ name: `the data fork of inode ${inode}`, inode, format: dataFormat },
    view: new DataView(view.buffer, start, dataLength),
    extentCount: isLarge ? u64(view, 24) : view.getUint32(76),
  };
  const noFit = forkProblem(data);
  if (noFit !== undefined || attributeOffset === 0) return noFit ?? { data, attributes: undefined };
  if (attributeFormat === undefined || attributeFormat === 'device') {
    return `has attributes in format ${view.getUint8(83)}`;
  }
  const attributes: Fork = {
    ...{ name: `the attribute fork of inode ${inode}`, inode, format: attributeFormat },
    view: new DataView(view.buffer, start + dataLength, room - dataLength),
    extentCount: isLarge ? view.getUint32(76) : view.getUint16(80),
  };
  return forkProblem(attributes) ?? { data, attributes };
}

function forkProblem({ name, format, view, extentCount }: Fork): string | undefined {
  if (format !== 'extents' || extentCount * 16 <= view.byteLength) return undefined;
  return `has ${extentCount} extents in ${name}, and room for ${Math.floor(view.byteLength / 16)}`;
}
