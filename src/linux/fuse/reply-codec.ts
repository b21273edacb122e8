/*
 * Every reply begins with
 *
 *   byte 0 uint32 len   4 int32 error (0, or −errno)   8 uint64 unique
 *
 * and goes on, from byte 16, with
 *
 *   INIT      0 uint32 major    4 uint32 minor    8 uint32 max_readahead   12 uint32 flags   16 uint16 max_background
 *            18 uint16 congestion_threshold      20 uint32 max_write       24 uint32 time_gran
 *            28 uint16 max_pages                 30 34 bytes of 0
 *   GETATTR, SETATTR
 *             0 uint64 attr_valid (seconds)       8 uint32 attr_valid_nsec   12 uint32 0   16 attr
 *   OPEN      0 uint64 fh       8 uint32 open_flags   12 uint32 0
 *   READ      the data
 *   WRITE     0 uint32 size     4 uint32 0
 *   STATFS    0 uint64 blocks   8 uint64 bfree   16 uint64 bavail   24 uint64 files   32 uint64 ffree
 *            40 uint32 bsize   44 uint32 namelen 48 uint32 frsize   52 28 bytes of 0
 *   LSEEK     0 uint64 offset
 *
 *   attr      0 uint64 ino      8 uint64 size    16 uint64 blocks (of 512 bytes)
 *            24 uint64 atime   32 uint64 mtime   40 uint64 ctime
 *            48 uint32 atimensec   52 uint32 mtimensec   56 uint32 ctimensec
 *            60 uint32 mode    64 uint32 nlink   68 uint32 uid   72 uint32 gid   76 uint32 rdev
 *            80 uint32 blksize 84 uint32 flags
 *
 * Source: linux/fuse.h.
 */
import { ByteWriter } from '../../bytes/byte-writer.ts';

/** The length of what every reply begins with, in bytes. */
export const replyHeaderLength = 16;

const initLength = 64;
const attributesLength = 104;
const openLength = 16;
const writeLength = 8;
const statisticsLength = 80;
const seekLength = 8;

/** For how long the kernel may rely on what only it changes, or nobody, in seconds: a year. */
export const lifetime = 31_536_000;

/** Fills in what a reply of `length` bytes in all begins with; `errno` is 0 for success. */
export function encodeReplyHeader(target: Uint8Array, length: number, unique: bigint, errno = 0): void {
  const writer = new ByteWriter(target);
  writer.u32le(length);
  writer.u32le(-errno >>> 0);
  writer.opaque64le(unique);
}

/** Puts the body of a reply where it stands in that; returns its length. */
export function putBody(reply: Uint8Array, body: Uint8Array): number {
  reply.set(body, replyHeaderLength);
  return body.length;
}

/** What is agreed when a file system is mounted. */
export interface InitReply {
  readonly major: number;
  readonly minor: number;
  /** In bytes. */
  readonly maxReadahead: number;
  readonly flags: number;
  /** How many requests that nobody waits for may be under way. */
  readonly maxBackground: number;
  /** The longest WRITE, in bytes. */
  readonly maxWrite: number;
  /** The longest request, in pages. */
  readonly maxPages: number;
}

/** The body of the answer to INIT. */
export function encodeInit(reply: InitReply): Uint8Array {
  const writer = new ByteWriter(initLength);
  writer.u32le(reply.major);
  writer.u32le(reply.minor);
  writer.u32le(reply.maxReadahead);
  writer.u32le(reply.flags);
  writer.u16le(reply.maxBackground);
  writer.u16le(Math.floor((reply.maxBackground * 3) / 4));
  writer.u32le(reply.maxWrite);
  writer.u32le(1);
  writer.u16le(reply.maxPages);
  return writer.bytes;
}

/** A moment: whole seconds since 1970, negative before it, and the nanoseconds from there. */
export interface FuseTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** What stat(2) tells of a file. */
export interface FuseAttributes {
  /** The number that programs see. */
  readonly inode: number;
  /** In bytes. */
  readonly size: number;
  /** How much space it takes, in blocks of 512 bytes. */
  readonly blocks: number;
  readonly accessed: FuseTime;
  readonly modified: FuseTime;
  readonly changed: FuseTime;
  /** Its type and permissions. */
  readonly mode: number;
  readonly links: number;
  readonly uid: number;
  readonly gid: number;
  /** Which device it stands for, as the kernel writes it in 32 bits; 0 for what is none. */
  readonly device: number;
  /** What its user had best read and write at once, in bytes. */
  readonly blockSize: number;
}

/** The body of the answer to GETATTR and SETATTR. */
export function encodeAttributes(attributes: FuseAttributes): Uint8Array {
  const writer = new ByteWriter(attributesLength);
  writer.u64le(lifetime);
  writer.skip(8);
  putAttributes(writer, attributes);
  return writer.bytes;
}

/** Writes an `attr`. Hot: it is called for each name that is listed. */
export function putAttributes(writer: ByteWriter, attributes: FuseAttributes): void {
  const { accessed, changed, modified } = attributes;
  writer.u64le(attributes.inode);
  writer.u64le(attributes.size);
  writer.u64le(attributes.blocks);
  writer.u64le(accessed.seconds);
  writer.u64le(modified.seconds);
  writer.u64le(changed.seconds);
  writer.u32le(accessed.nanoseconds);
  writer.u32le(modified.nanoseconds);
  writer.u32le(changed.nanoseconds);
  writer.u32le(attributes.mode);
  writer.u32le(attributes.links);
  writer.u32le(attributes.uid);
  writer.u32le(attributes.gid);
  writer.u32le(attributes.device);
  writer.u32le(attributes.blockSize);
  writer.u32le(0);
}

/** The body of the answer to OPEN. Files are known by their nodes, so that handles are all 0. */
export function encodeOpen(flags: number): Uint8Array {
  const writer = new ByteWriter(openLength);
  writer.skip(8);
  writer.u32le(flags);
  return writer.bytes;
}

/** The body of the answer to WRITE: how many bytes were written. */
export function encodeWritten(length: number): Uint8Array {
  const writer = new ByteWriter(writeLength);
  writer.u32le(length);
  return writer.bytes;
}

/** What statfs(2) tells of a file system, in blocks of `blockSize` bytes. */
export interface FuseStatistics {
  readonly blockSize: number;
  readonly blocks: number;
  readonly freeBlocks: number;
}

/** The body of the answer to STATFS. */
export function encodeStatistics({ blockSize, blocks, freeBlocks }: FuseStatistics): Uint8Array {
  const writer = new ByteWriter(statisticsLength);
  writer.u64le(blocks);
  writer.u64le(freeBlocks);
  writer.u64le(freeBlocks);
  writer.u64le(1);
  writer.u64le(0);
  writer.u32le(blockSize);
  writer.u32le(255);
  writer.u32le(blockSize);
  return writer.bytes;
}

/** The body of the answer to LSEEK: the offset that was found, in bytes. */
export function encodeSeek(offset: number): Uint8Array {
  const writer = new ByteWriter(seekLength);
  writer.u64le(offset);
  return writer.bytes;
}
