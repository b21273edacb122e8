/*
 * The superblock of EROFS, at byte 1024, 128 bytes, little-endian:
 *
 *   byte   0  magic, e0f5e1e2             36  blocks
 *          4  checksum                    40  meta_blkaddr, where inodes are counted from
 *          8  feature_compat              44  xattr_blkaddr, where shared attributes are counted from
 *         12  blkszbits (8 bit)           48  uuid, 16 bytes
 *         13  sb_extslots (8 bit)         64  volume_name, 16 bytes
 *         14  root_nid (16 bit)           80  feature_incompat
 *         16  inos (64 bit)               86  extra_devices (16 bit)
 *         24  build_time (64 bit)         90  dirblkbits (8 bit)
 *                                         96  packed_nid (64 bit), where bit 5 of feature_incompat is set
 *         32  build_time_nsec
 *
 * Numbers are 32 bits where nothing else is said. The checksum is CRC-32C, not inverted, of the rest of the first block
 * from byte 1024 on, with 0 in its own place; it is there where bit 0 of feature_compat is set.
 *
 * Source: Linux, fs/erofs/erofs_fs.h (the layouts) and Documentation/filesystems/erofs.rst.
 */
import { VarveError } from '../../base/varve-error.ts';
import { crc32c } from '../../bytes/crc32c.ts';
import { decodeUuid, zeroGuid } from '../../bytes/guid.ts';
import type { Timestamp } from '../file-system.ts';

/** Where the superblock is, and how long, in bytes. */
export const superblockOffset = 1024;
export const superblockLength = 128;

const magic = 0xe0f5_e1e2;
const compatChecksum = 1;
const incompatPadding = 1;
const incompatFragments = 0x20;
/** Bits of feature_incompat up to here change what files say of themselves, and each is looked at there. */
const knownIncompat = 0x7f;

/** What the superblock says; sizes and places in bytes. */
export interface Superblock {
  readonly blockSize: number;
  readonly rootNode: number;
  readonly size: number;
  readonly inodes: number;
  readonly sharedAttributes: number;
  readonly buildTime: Timestamp;
  readonly label: string | undefined;
  readonly uuid: string | undefined;
  readonly hasChecksum: boolean;
  /** Whether compressed data are filled with zeros in front up to whole blocks, and not behind. */
  readonly isPaddedInFront: boolean;
  /** The inode with the ends of files; 0 where there is none. */
  readonly packedNode: number;
}

/** Whether these bytes, from byte 1024 of a device, begin an EROFS. */
export function looksLikeErofs(bytes: Uint8Array): boolean {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true) === magic;
}

/** @throws VarveError `CORRUPT`, `UNSUPPORTED`; `name` is the disk's */
export function decodeSuperblock(bytes: Uint8Array, name: string): Superblock {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const corrupt = (why: string) => new VarveError('CORRUPT', `cannot read ${name}: ${why}`);
  if (!looksLikeErofs(bytes)) throw corrupt('it has no EROFS superblock');
  const bits = view.getUint8(12);
  if (bits < 9 || bits > 16) throw corrupt(`the EROFS superblock has blocks of 2^${bits} bytes`);
  const features = view.getUint32(80, true);
  const unknown = (features & ~knownIncompat) >>> 0;
  if (unknown !== 0 || view.getUint8(90) !== 0) {
    throw new VarveError(
      'UNSUPPORTED',
      `cannot read ${name}: its EROFS has features that are unknown here, ${unknown}`,
    );
  }
  const blockSize = 2 ** bits;
  const label = new TextDecoder().decode(bytes.subarray(64, 80)).replace(/\0.*$/s, '');
  const uuid = decodeUuid(bytes.subarray(48, 64));
  return {
    blockSize,
    rootNode: view.getUint16(14, true),
    size: view.getUint32(36, true) * blockSize,
    inodes: view.getUint32(40, true) * blockSize,
    sharedAttributes: view.getUint32(44, true) * blockSize,
    buildTime: { seconds: Number(view.getBigInt64(24, true)), nanoseconds: view.getUint32(32, true) % 1e9 },
    label: label === '' ? undefined : label,
    uuid: uuid === zeroGuid ? undefined : uuid,
    isPaddedInFront: (features & incompatPadding) !== 0,
    packedNode: (features & incompatFragments) === 0 ? 0 : Number(view.getBigUint64(96, true)),
    hasChecksum: (view.getUint32(8, true) & compatChecksum) !== 0,
  };
}

/** Whether the checksum fits; `bytes` are the first block's from byte 1024 on. */
export function checksumFits(bytes: Uint8Array): boolean {
  const copy = bytes.slice();
  copy.fill(0, 4, 8);
  return ~crc32c(copy) >>> 0 === new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
}
