/*
 * The superblock of squashfs 4.0, 96 bytes, little-endian:
 *
 *   byte   0  s_magic, "hsqs"                  32  root_inode (64 bit)
 *          4  inodes                           40  bytes_used (64 bit)
 *          8  mkfs_time                        48  id_table_start (64 bit)
 *         12  block_size                       56  xattr_id_table_start (64 bit)
 *         16  fragments                        64  inode_table_start (64 bit)
 *         20  compression (16 bit)             72  directory_table_start (64 bit)
 *         22  block_log (16 bit)               80  fragment_table_start (64 bit)
 *         24  flags (16 bit)                   88  lookup_table_start (64 bit), of inodes by number, for NFS
 *         26  no_ids (16 bit)
 *         28  s_major, s_minor (16 bit each)
 *
 * A table that is not there starts at ffffffffffffffff. A reference to something in a table is 48 bits: where its
 * metadata block begins, from the table's start, and 16 bits for the place in the block.
 *
 * Source: Linux, fs/squashfs/squashfs_fs.h (the layouts) and Documentation/filesystems/squashfs.rst.
 */
import { VarveError } from '../../base/varve-error.ts';

/** How long the superblock is, in bytes. */
export const superblockLength = 96;

const magic = 0x7371_7368;
const smallestBlock = 4096;
const largestBlock = 1 << 20;

/** What the superblock says; places and sizes in bytes. */
export interface Superblock {
  readonly blockSize: number;
  readonly compression: number;
  readonly fragmentCount: number;
  readonly idCount: number;
  readonly rootReference: number;
  readonly size: number;
  readonly idTable: number;
  /** These two are undefined where there is none. */
  readonly attributeTable: number | undefined;
  readonly fragmentTable: number | undefined;
  readonly inodeTable: number;
  readonly directoryTable: number;
}

/** The version, `4.0`, of squashfs on a device that starts with these bytes; undefined where it is something else. */
export function squashfsVersion(bytes: Uint8Array): string | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint32(0, true) !== magic) return undefined;
  return `${view.getUint16(28, true)}.${view.getUint16(30, true)}`;
}

/** @throws VarveError `CORRUPT`, `UNSUPPORTED`; `name` is the disk's */
export function decodeSuperblock(bytes: Uint8Array, name: string): Superblock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const version = squashfsVersion(bytes);
  if (version === undefined) throw new VarveError('CORRUPT', `cannot read ${name}: it has no squashfs superblock`);
  if (version !== '4.0') throw new VarveError('UNSUPPORTED', `cannot read ${name}: it is squashfs ${version}, not 4.0`);
  const superblock: Superblock = {
    blockSize: view.getUint32(12, true),
    fragmentCount: view.getUint32(16, true),
    compression: view.getUint16(20, true),
    idCount: view.getUint16(26, true),
    ...{ rootReference: place(view, 32), size: place(view, 40), idTable: place(view, 48) },
    ...{ attributeTable: tableOrNone(view, 56), fragmentTable: tableOrNone(view, 80) },
    ...{ inodeTable: place(view, 64), directoryTable: place(view, 72) },
  };
  const problem = problemOf(superblock, view.getUint16(22, true));
  if (problem === undefined) return superblock;
  throw new VarveError('CORRUPT', `cannot read ${name}: the squashfs superblock has ${problem}`);
}

function problemOf(superblock: Superblock, blockLog: number): string | undefined {
  const { blockSize, size, inodeTable, directoryTable, idTable, attributeTable = 0, fragmentTable = 0 } = superblock;
  if (!(blockSize >= smallestBlock && blockSize <= largestBlock && blockSize === 2 ** blockLog)) {
    return `a block size of ${blockSize} bytes, and 2^${blockLog}`;
  }
  if (!Number.isSafeInteger(size)) return 'a size over 2^53';
  const isInOrder = inodeTable >= superblockLength && inodeTable < directoryTable && directoryTable < size;
  if (!isInOrder) return `an inode table at byte ${inodeTable} and a directory table at byte ${directoryTable}`;
  const others = [idTable, attributeTable, fragmentTable];
  const outside = others.find((table) => !(table < size));
  return outside === undefined ? undefined : `a table at byte ${outside}, past its end`;
}

/** A 64-bit place; what cannot be one comes out too large for any device. */
function place(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 2 ** 32 + view.getUint32(offset, true);
}

function tableOrNone(view: DataView, offset: number): number | undefined {
  return view.getBigUint64(offset, true) === 0xffff_ffff_ffff_ffffn ? undefined : place(view, offset);
}
