/*
 * Command descriptor blocks: how long they are goes by the first three bits of the operation code, and so does where
 * the common fields stand. Source: SPC-4, section 4.3; SBC-3, section 5.
 *
 *   length  LBA                 blocks, or bytes
 *   6       21 bits from 1      8 bits at 4 (0 is 256 blocks)
 *   10      32 bits from 2      16 bits at 7
 *   12      32 bits from 2      32 bits at 6
 *   16      64 bits from 2      32 bits at 10
 */

/** A range of a disk, in blocks. */
export interface BlockRange {
  readonly lba: number;
  readonly count: number;
}

/** Hot: the blocks that a command reads or writes. Numbers over 2^53 come out rounded: past the end of any disk. */
export function blockRangeOf(cdb: DataView): BlockRange {
  switch (cdb.getUint8(0) >> 5) {
    case 0: {
      const count = cdb.getUint8(4);
      return { lba: cdb.getUint32(0) & 0x1f_ffff, count: count === 0 ? 256 : count };
    }
    case 5:
      return { lba: cdb.getUint32(2), count: cdb.getUint32(6) };
    case 4:
      return { lba: cdb.getUint32(2) * 2 ** 32 + cdb.getUint32(6), count: cdb.getUint32(10) };
    default:
      return { lba: cdb.getUint32(2), count: cdb.getUint16(7) };
  }
}

/** The protection that a read, write or verify asks for; there is none here. */
export function protectionOf(cdb: DataView): number {
  return cdb.getUint8(0) >> 5 === 0 ? 0 : cdb.getUint8(1) >> 5;
}
