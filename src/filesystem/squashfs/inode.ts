/*
 * An inode begins with 16 bytes, little-endian, and goes on by its type; types 8 to 14 are the extended forms of 1 to 7:
 *
 *   byte  0  inode_type (16 bit)      4  uid (16 bit), index in the table of owners
 *         2  mode (16 bit)            6  guid (16 bit), likewise
 *         8  mtime                   12  inode_number
 *
 *   1 directory   start_block, nlink, file_size (16 bit), offset (16 bit), parent_inode
 *   8             nlink, file_size, start_block, parent_inode, i_count (16 bit), offset (16 bit), xattr, index
 *   2 file        start_block, fragment, offset, file_size, block_list
 *   9             start_block (64 bit), file_size (64 bit), sparse (64 bit), nlink, fragment, offset, xattr, block_list
 *   3, 10 symlink             nlink, symlink_size, symlink; xattr
 *   4, 5, 11, 12 block, char  nlink, rdev; xattr
 *   6, 7, 13, 14 fifo, socket nlink; xattr
 *
 * Numbers are 32 bits where nothing else is said; ffffffff stands for no fragment or attributes. A directory's file_size
 * is 3 more than its listing has bytes. i_count is how many entries its index has.
 *
 * Source: Linux, fs/squashfs/squashfs_fs.h (the layouts).
 */
import type { FileKind, FileStat } from '../file-system.ts';
import { deviceOfNumber } from '../linux-inode.ts';
import type { MetadataCursor, MetadataPlace } from './metadata-cursor.ts';

const none = 0xffff_ffff;
const headerLength = 16;
/** What stands for `.` and `..` in a directory's size. */
const dotsLength = 3;
/** Longer symlinks are nobody's (PATH_MAX). */
const longestLink = 4096;
/** From this type on inodes are extended. */
const firstExtended = 8;

/** The kind that a type of inode, or of entry in a directory, stands for. */
export const kinds: Readonly<Record<number, FileKind>> = {
  1: 'directory',
  2: 'file',
  3: 'symlink',
  4: 'block',
  5: 'character',
  6: 'fifo',
  7: 'socket',
};

/** Where a directory's listing is in the directory table, and its index in the inode table. */
export interface DirectoryDetail {
  readonly kind: 'directory';
  /** Where the listing's block begins, from the table's start. */
  readonly startBlock: number;
  readonly offset: number;
  /** Of the listing, in bytes. */
  readonly length: number;
  readonly indexCount: number;
  readonly index: MetadataPlace;
}

/** Where a file's blocks are. */
export interface FileDetail {
  readonly kind: 'file';
  /** Where the first one begins on the device. */
  readonly start: number;
  /** The fragment that holds the file's end, and where in it; undefined where its last block does. */
  readonly fragment: { readonly index: number; readonly offset: number } | undefined;
  /** Where the list of the blocks' lengths is in the inode table. */
  readonly blockList: MetadataPlace;
}

/** What a symlink holds. */
export interface SymlinkDetail {
  readonly kind: 'symlink';
  readonly target: Uint8Array;
}

/** What an inode says. */
export interface Inode {
  readonly stat: FileStat;
  readonly detail: DirectoryDetail | FileDetail | SymlinkDetail | undefined;
  /** Its number in the table of attributes; undefined for none. */
  readonly attributes: number | undefined;
}

/** What decoding needs besides the bytes. */
export interface InodeContext {
  readonly cursor: MetadataCursor;
  /** The uid or gid of an index. */
  readonly owner: (index: number) => Promise<number>;
  readonly corrupt: (why: string) => Error;
}

/** The part of an inode that depends on its type. */
interface Body extends Partial<Pick<Inode, 'detail' | 'attributes'>> {
  readonly stat: Pick<FileStat, 'links' | 'size'> & Partial<Pick<FileStat, 'allocated' | 'device'>>;
}

/** Reads the inode at the cursor. @throws what `corrupt` makes of a reason */
export async function readInode({ cursor, owner, corrupt }: InodeContext): Promise<Inode> {
  const header = await cursor.take(headerLength);
  const type = header.getUint16(0, true);
  const isExtended = type >= firstExtended;
  const kind = kinds[isExtended ? type - firstExtended + 1 : type];
  if (kind === undefined) throw corrupt(`is of the unknown type ${type}`);
  const body = await bodyReaders[kind](cursor, isExtended, corrupt);
  const modified = { seconds: header.getUint32(8, true), nanoseconds: 0 };
  return {
    stat: {
      ...{ inode: header.getUint32(12, true), kind, mode: header.getUint16(2, true) & 0o7777, allocated: 0 },
      ...{ uid: await owner(header.getUint16(4, true)), gid: await owner(header.getUint16(6, true)) },
      ...{ accessed: modified, modified, changed: modified },
      ...body.stat,
    },
    detail: body.detail,
    attributes: body.attributes === none ? undefined : body.attributes,
  };
}

type ReadBody = (cursor: MetadataCursor, isExtended: boolean, corrupt: (why: string) => Error) => Promise<Body>;

const bodyReaders: Readonly<Record<FileKind, ReadBody>> = {
  directory: (cursor, isExtended) => (isExtended ? readLongDirectory(cursor) : readDirectory(cursor)),
  file: (cursor, isExtended, corrupt) => (isExtended ? readLongFile(cursor, corrupt) : readFile(cursor)),
  symlink: readSymlink,
  block: readDevice,
  character: readDevice,
  fifo: readChannel,
  socket: readChannel,
};

async function readDirectory(cursor: MetadataCursor): Promise<Body> {
  const view = await cursor.take(16);
  const size = view.getUint16(8, true);
  const place = { startBlock: view.getUint32(0, true), offset: view.getUint16(10, true) };
  const detail = {
    kind: 'directory',
    ...place,
    length: listingLength(size),
    indexCount: 0,
    index: cursor.place,
  } as const;
  return { stat: { links: view.getUint32(4, true), size }, detail };
}

async function readLongDirectory(cursor: MetadataCursor): Promise<Body> {
  const view = await cursor.take(24);
  const size = view.getUint32(4, true);
  const place = { startBlock: view.getUint32(8, true), offset: view.getUint16(18, true) };
  const index = { indexCount: view.getUint16(16, true), index: cursor.place };
  return {
    stat: { links: view.getUint32(0, true), size },
    detail: { kind: 'directory', ...place, length: listingLength(size), ...index },
    attributes: view.getUint32(20, true),
  };
}

function listingLength(size: number): number {
  return Math.max(0, size - dotsLength);
}

async function readFile(cursor: MetadataCursor): Promise<Body> {
  const view = await cursor.take(16);
  const size = view.getUint32(12, true);
  const fragment = fragmentOf(view, 4);
  return {
    stat: { links: 1, size, allocated: inSectors(size) },
    detail: { kind: 'file', start: view.getUint32(0, true), fragment, blockList: cursor.place },
  };
}

async function readLongFile(cursor: MetadataCursor, corrupt: (why: string) => Error): Promise<Body> {
  const view = await cursor.take(40);
  const [start, size, sparse] = [0, 8, 16].map((offset) => Number(view.getBigUint64(offset, true)));
  if (!Number.isSafeInteger(size) || !Number.isSafeInteger(start))
    throw corrupt(`has ${size} bytes from byte ${start}`);
  return {
    stat: { links: view.getUint32(24, true), size: size!, allocated: inSectors(Math.max(0, size! - sparse!)) },
    detail: { kind: 'file', start: start!, fragment: fragmentOf(view, 28), blockList: cursor.place },
    attributes: view.getUint32(36, true),
  };
}

function fragmentOf(view: DataView, offset: number): FileDetail['fragment'] {
  const index = view.getUint32(offset, true);
  return index === none ? undefined : { index, offset: view.getUint32(offset + 4, true) };
}

/** As Linux tells of squashfs: what a file holds, without its holes, whatever that takes when compressed. */
function inSectors(length: number): number {
  return Math.ceil(length / 512) * 512;
}

async function readSymlink(
  cursor: MetadataCursor,
  isExtended: boolean,
  corrupt: (why: string) => Error,
): Promise<Body> {
  const view = await cursor.take(8);
  const [links, size] = [view.getUint32(0, true), view.getUint32(4, true)];
  if (size > longestLink) throw corrupt(`is a symlink of ${size} bytes`);
  const target = await cursor.takeBytes(size);
  return {
    stat: { links, size },
    detail: { kind: 'symlink', target },
    ...(await trailingAttributes(cursor, isExtended)),
  };
}

async function readDevice(cursor: MetadataCursor, isExtended: boolean): Promise<Body> {
  const view = await cursor.take(8);
  return {
    stat: {
      ...{ links: view.getUint32(0, true), size: 0 },
      device: deviceOfNumber(view.getUint32(4, true)),
    },
    ...(await trailingAttributes(cursor, isExtended)),
  };
}

async function readChannel(cursor: MetadataCursor, isExtended: boolean): Promise<Body> {
  const view = await cursor.take(4);
  return { stat: { links: view.getUint32(0, true), size: 0 }, ...(await trailingAttributes(cursor, isExtended)) };
}

async function trailingAttributes(cursor: MetadataCursor, isExtended: boolean): Promise<Pick<Body, 'attributes'>> {
  return { attributes: isExtended ? (await cursor.take(4)).getUint32(0, true) : undefined };
}
