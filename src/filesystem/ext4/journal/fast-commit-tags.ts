/*
 * What ext4 notes in the last blocks of its journal between whole transactions: tags one behind the other, little-endian.
 * None crosses the end of a block.
 *
 *   each              0  fc_tag (16 bit)    2  fc_len (16 bit), of what follows
 *
 *   1 ADD_RANGE       4  inode    8  an extent, as in a leaf of a tree of extents
 *   2 DEL_RANGE       4  inode    8  first block of the file    12  count of blocks
 *   3 CREAT           4  inode of the directory    8  inode    12  name
 *   4 LINK, 5 UNLINK  as CREAT
 *   6 INODE           4  inode    8  its bytes, without the extended attributes in it
 *   7 PAD             up to the end of the block
 *   8 TAIL            4  number of the transaction    8  CRC-32C of all from the HEAD or the last TAIL up to here
 *   9 HEAD            4  features    8  number of the transaction
 *
 * Source: Linux, Documentation/filesystems/ext4/journal.rst, "Fast commits"; what Linux 6.1 and 6.18 write.
 */
import { crc32c } from '../../../bytes/crc32c.ts';
import { asStored } from '../checksum.ts';
import { isName } from '../directory.ts';

const kinds = {
  addRange: 1,
  deleteRange: 2,
  create: 3,
  link: 4,
  unlink: 5,
  inode: 6,
  pad: 7,
  tail: 8,
  head: 9,
} as const;
const headerLength = 4;
/** Of what ADD_RANGE and DEL_RANGE hold. */
const [addedLength, deletedLength] = [16, 12];
const longestName = 255;
/** With which its checksums begin: as one of Linux' that is 0, which has no first inversion. */
const emptySum = 0xffff_ffff;

/** Something that has happened to files. Blocks are counted. */
export type FastCommitTag =
  | { readonly kind: 'add range'; readonly inode: number; readonly extent: DataView }
  | { readonly kind: 'delete range'; readonly inode: number; readonly first: number; readonly count: number }
  | {
      readonly kind: 'create' | 'link' | 'unlink';
      readonly directory: number;
      readonly inode: number;
      readonly name: Uint8Array;
    }
  | { readonly kind: 'inode'; readonly inode: number; readonly bytes: Uint8Array };

/** Reads the blocks of fast commits, one after the other, as far as they belong to one transaction and are whole. */
export class FastCommitReader {
  /** What has happened, of the commits that are whole. */
  readonly tags: FastCommitTag[] = [];
  readonly #transaction: number;
  #pending: FastCommitTag[] = [];
  #sum = emptySum;
  #isFirst = true;

  /** `transaction` is the number of the one that would have come next. */
  constructor(transaction: number) {
    this.#transaction = transaction;
  }

  /** Takes the next block; false for one with which it ends. */
  take(block: Uint8Array): boolean {
    const view = new DataView(block.buffer, block.byteOffset, block.length);
    for (let offset = 0; offset + headerLength <= block.length; ) {
      const [tag, length] = [view.getUint16(offset, true), view.getUint16(offset + 2, true)];
      const start = offset + headerLength;
      if (start + length > block.length) return false;
      const value = new DataView(block.buffer, block.byteOffset + start, length);
      if (!this.#takeTag(tag, value, block.subarray(offset, start + length))) return false;
      offset = start + length;
    }
    return true;
  }

  #takeTag(tag: number, value: DataView, bytes: Uint8Array): boolean {
    if (tag === kinds.tail) return this.#takeTail(value, bytes);
    this.#sum = crc32c(bytes, this.#sum);
    if (tag === kinds.head) return this.#takeHead(value);
    // Whatever came before it, it is no commit of this transaction.
    if (this.#isFirst) return false;
    if (tag === kinds.pad) return true;
    const decoded = decodeTag(tag, value);
    if (decoded === undefined) return false;
    this.#pending.push(decoded);
    return true;
  }

  #takeHead(value: DataView): boolean {
    this.#isFirst = false;
    return value.byteLength === 8 && value.getUint32(0, true) === 0 && value.getUint32(4, true) === this.#transaction;
  }

  #takeTail(value: DataView, bytes: Uint8Array): boolean {
    if (value.byteLength < 8 || value.getUint32(0, true) !== this.#transaction) return false;
    const sum = asStored(crc32c(bytes.subarray(0, headerLength + 4), this.#sum));
    if (sum !== value.getUint32(4, true)) return false;
    this.tags.push(...this.#pending);
    this.#pending = [];
    this.#sum = emptySum;
    return true;
  }
}

function decodeTag(tag: number, value: DataView): FastCommitTag | undefined {
  if (value.byteLength < 8) return undefined;
  const inode = value.getUint32(0, true);
  const after = (offset: number) => new Uint8Array(value.buffer, value.byteOffset + offset, value.byteLength - offset);
  if (tag === kinds.addRange && value.byteLength === addedLength) {
    return { kind: 'add range', inode, extent: new DataView(value.buffer, value.byteOffset + 4, addedLength - 4) };
  }
  if (tag === kinds.deleteRange && value.byteLength === deletedLength) {
    return { kind: 'delete range', inode, first: value.getUint32(4, true), count: value.getUint32(8, true) };
  }
  if (tag === kinds.inode) return { kind: 'inode', inode, bytes: after(4) };
  const kind = ({ [kinds.create]: 'create', [kinds.link]: 'link', [kinds.unlink]: 'unlink' } as const)[tag];
  const name = after(8);
  if (kind === undefined || name.length > longestName || !isName(name)) return undefined;
  return { kind, directory: inode, inode: value.getUint32(4, true), name };
}
