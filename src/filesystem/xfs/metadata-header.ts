/*
 * What blocks of metadata say of themselves since version 5, each kind in its own places:
 *
 *   kind                                     crc   blkno   uuid   owner
 *   block of a B+tree of an allocation group  52      16     32      48 (32 bit), the group
 *   block of a B+tree of a fork               64      24     40      56, the inode
 *   data of a directory                        4       8     24      40, the inode
 *   leaf or node of names or attributes       12      16     32      48, the inode
 *   remote symlink or value of an attribute   12      40     16      32, the inode
 *
 * crc is a CRC-32C of the whole block with zeros in its place, and the only number on the disk that is little-endian;
 * blkno counts sectors of 512 bytes from the start of the disk.
 *
 * Source: XFS Algorithms & Data Structures, "Self Describing Metadata".
 */
import { crc32c } from '../../bytes/crc32c.ts';
import { isEqual } from '../../bytes/is-equal.ts';
import { u64 } from './big-endian.ts';

/** Where a kind of block has its fields, in bytes. */
export interface MetadataHeader {
  readonly crc: number;
  readonly blkno: number;
  readonly uuid: number;
  readonly owner: number;
  /** The owner has 32 bits. */
  readonly isShort?: boolean;
}

/** The kinds of headers. */
export const metadataHeaders = {
  groupTree: { crc: 52, blkno: 16, uuid: 32, owner: 48, isShort: true },
  forkTree: { crc: 64, blkno: 24, uuid: 40, owner: 56 },
  directoryData: { crc: 4, blkno: 8, uuid: 24, owner: 40 },
  names: { crc: 12, blkno: 16, uuid: 32, owner: 48 },
  remote: { crc: 12, blkno: 40, uuid: 16, owner: 32 },
} as const satisfies Record<string, MetadataHeader>;

/** What a block must say. */
export interface ExpectedHeader {
  readonly uuid: Uint8Array;
  /** Where the block is, in bytes. */
  readonly place: number;
  readonly owner: number;
}

const sectorSize = 512;
const zeros = new Uint8Array(4);

/** What is wrong with a block's header, if anything is. */
export function headerProblem(block: DataView, header: MetadataHeader, expected: ExpectedHeader): string | undefined {
  if (!fitsChecksum(block, header.crc)) return 'does not fit its checksum';
  if (!isEqual(bytesOf(block).subarray(header.uuid, header.uuid + 16), expected.uuid)) {
    return 'belongs to another file system';
  }
  const place = u64(block, header.blkno) * sectorSize;
  if (place !== expected.place) return `says that it is at byte ${place} of the disk, and is at ${expected.place}`;
  const owner = header.isShort ? block.getUint32(header.owner) : u64(block, header.owner);
  return owner === expected.owner ? undefined : `says that it is of ${owner}, not ${expected.owner}`;
}

/** Whether the checksum at byte `place` of some bytes is theirs. */
export function fitsChecksum(block: DataView, place: number): boolean {
  const bytes = bytesOf(block);
  const sum = crc32c(bytes.subarray(place + 4), crc32c(zeros, crc32c(bytes.subarray(0, place))));
  return sum === block.getUint32(place, true);
}

/** The same bytes, one by one. */
export function bytesOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
}
