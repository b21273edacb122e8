import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import type { BlockRange } from './command-block.ts';

/*
 * What commands answer with, and are given. Source: SPC-4, section 6.33 (REPORT LUNS); SBC-3, sections 5.12, 5.13 (READ
 * CAPACITY), 5.4 (GET LBA STATUS), 5.28 (UNMAP).
 *
 *   capacity (10)  0 last LBA (4), 4 length of a block (4)
 *   capacity (16)  0 last LBA (8), 8 length of a block (4), 13 exponent of physical blocks, 14 LBPME 80h, LBPRZ 40h
 *   LUNs           0 length of the list (4), 8 numbers of 8 bytes
 *   LBA status     0 length of the rest (4), 8 descriptors: LBA (8), count (4), status (1), 3 zero
 *   UNMAP          0 length of the rest (2), 2 length of the list (2), 8 descriptors: LBA (8), count (4), 4 zero
 */

/** How large a disk is; sizes in bytes. */
export interface DiskCapacity {
  readonly blockCount: number;
  readonly blockSize: number;
  readonly granularity: number;
  readonly isThin: boolean;
}

/** READ CAPACITY (10); a disk that is too large says so by the largest number. */
export function encodeCapacity10({ blockCount, blockSize }: DiskCapacity): Uint8Array {
  const writer = new ByteWriter(8);
  writer.u32be(Math.min(blockCount - 1, 2 ** 32 - 1));
  writer.u32be(blockSize);
  return writer.bytes;
}

/** READ CAPACITY (16). */
export function encodeCapacity16({ blockCount, blockSize, granularity, isThin }: DiskCapacity): Uint8Array {
  const writer = new ByteWriter(32);
  writer.u64be(blockCount - 1);
  writer.u32be(blockSize);
  writer.u8(0);
  writer.u8(Math.log2(Math.max(Math.min(granularity, 4096), blockSize) / blockSize));
  writer.u8(isThin ? 0xc0 : 0);
  return writer.bytes;
}

/** REPORT LUNS: the disk is number 0, and alone. */
export function encodeLuns(): Uint8Array {
  const bytes = new Uint8Array(16);
  bytes[3] = 8;
  return bytes;
}

/** A run of blocks, and whether they are mapped. */
export interface BlockStatus extends BlockRange {
  readonly isMapped: boolean;
}

/** GET LBA STATUS. */
export function encodeBlockStatus(runs: readonly BlockStatus[]): Uint8Array {
  const writer = new ByteWriter(8 + 16 * runs.length);
  writer.u32be(4 + 16 * runs.length);
  writer.u32be(0);
  for (const { count, isMapped, lba } of runs) {
    writer.u64be(lba);
    writer.u32be(count);
    writer.u8(isMapped ? 0 : 1);
    writer.skip(3);
  }
  return writer.bytes;
}

/**
 * The ranges of UNMAP; `undefined` for a list that contradicts itself. Numbers over 2^53 are refused with it.
 *
 * @throws VarveError `CORRUPT` where one is
 */
export function decodeUnmapList(bytes: Uint8Array): BlockRange[] | undefined {
  const reader = new ByteReader(bytes, 'the parameter list of UNMAP');
  const dataLength = reader.u16be();
  const listLength = reader.u16be();
  if (dataLength + 2 > bytes.length || listLength + 6 > dataLength) return undefined;
  reader.skip(4);
  const ranges: BlockRange[] = [];
  for (let left = listLength; left >= 16; left -= 16) {
    ranges.push({ lba: reader.u64be('LBA'), count: reader.u32be() });
    reader.skip(4);
  }
  return ranges;
}
