import type { FileStat } from '../../filesystem/file-system.ts';
import { noAttributes } from './attribute-sets.ts';
import { inodeTypes, type Listing } from './directory-listing.ts';
import type { FragmentPlace } from './fragments.ts';

/** What every inode has. */
export interface InodeCommon {
  readonly number: number;
  readonly stat: FileStat;
  /** Indices in the table of owners. */
  readonly uid: number;
  readonly gid: number;
  /** Of a set of attributes. */
  readonly attributes: number;
}

/** Where a file's content is. */
export interface FileContent {
  /** The place of its first block. */
  readonly start: number;
  /** The 32 bits of each block. */
  readonly words: readonly number[];
  /** How many bytes are not stored, as they are zeros. */
  readonly sparse: number;
  readonly fragment: FragmentPlace | undefined;
}

const none = 0xffff_ffff;
const extendedFrom = 7;
/** What stands for `.` and `..` in a directory's size. */
const dotsLength = 3;

/** The bytes of a file's inode. Source: as of src/filesystem/squashfs/inode.ts. */
export function encodeFile(common: InodeCommon, { start, words, sparse, fragment }: FileContent): Uint8Array {
  const { links, size } = common.stat;
  const { index, offset } = fragment ?? { index: none, offset: 0 };
  const isShort = links <= 1 && sparse === 0 && size < 2 ** 32 && start < 2 ** 32 && common.attributes === noAttributes;
  const body = Buffer.alloc(isShort ? 16 : 40);
  if (isShort) putWords(body, [start, index, offset, size]);
  else {
    [start, size, sparse].forEach((each, position) => void body.writeBigUInt64LE(BigInt(each), 8 * position));
    putWords(body.subarray(24), [links, index, offset, common.attributes]);
  }
  const list = Buffer.alloc(4 * words.length);
  putWords(list, words);
  return Buffer.concat([header(common, !isShort), body, list]);
}

/** The bytes of a directory's inode; `parent` is the number of the one that it is in. */
export function encodeDirectory(
  common: InodeCommon,
  { position, length, index }: Listing,
  { parent, links }: { readonly parent: number; readonly links: number },
): Uint8Array {
  const size = length + dotsLength;
  const isShort = size < 2 ** 16 && index.length === 0 && common.attributes === noAttributes;
  const body = Buffer.alloc(isShort ? 16 : 24);
  if (isShort) {
    putWords(body, [position.block, links]);
    body.writeUInt16LE(size, 8);
    body.writeUInt16LE(position.offset, 10);
    body.writeUInt32LE(parent, 12);
  } else {
    putWords(body, [links, size, position.block, parent]);
    body.writeUInt16LE(index.length, 16);
    body.writeUInt16LE(position.offset, 18);
    body.writeUInt32LE(common.attributes, 20);
  }
  return Buffer.concat([header(common, !isShort), body, ...index]);
}

/** The bytes of an inode that has no content but its target, or device. */
export function encodeSpecial(common: InodeCommon, target: Uint8Array | undefined): Uint8Array {
  const { attributes, stat } = common;
  const words = [stat.links];
  if (target !== undefined) words.push(target.length);
  if (stat.device !== undefined) words.push(deviceNumber(stat.device));
  const body = Buffer.alloc(4 * words.length);
  putWords(body, words);
  const isExtended = attributes !== noAttributes;
  const tail = Buffer.alloc(isExtended ? 4 : 0);
  if (isExtended) tail.writeUInt32LE(attributes);
  return Buffer.concat([header(common, isExtended), body, target ?? new Uint8Array(), tail]);
}

function header({ number, stat, uid, gid }: InodeCommon, isExtended: boolean): Uint8Array {
  const bytes = Buffer.alloc(16);
  bytes.writeUInt16LE(inodeTypes[stat.kind] + (isExtended ? extendedFrom : 0), 0);
  bytes.writeUInt16LE(stat.mode & 0o7777, 2);
  bytes.writeUInt16LE(uid, 4);
  bytes.writeUInt16LE(gid, 6);
  // Times before 1970 and after 2106 have no place there.
  bytes.writeUInt32LE(Math.min(Math.max(0, stat.modified?.seconds ?? 0), 2 ** 32 - 1), 8);
  bytes.writeUInt32LE(number, 12);
  return bytes;
}

/** Source: Linux, include/linux/kdev_t.h (new_encode_dev). */
function deviceNumber({ major, minor }: NonNullable<FileStat['device']>): number {
  return (minor & 0xff) + (major & 0xfff) * 2 ** 8 + (Math.floor(minor / 256) & 0xfff) * 2 ** 20;
}

function putWords(target: Buffer, words: readonly number[]): void {
  words.forEach((word, index) => void target.writeUInt32LE(word, 4 * index));
}
