/*
 * Pieces that are packed by zlib are streams of RFC 1950, and by zstd frames of RFC 8878, with zeros behind them to the end
 * of a sector. With LZO there is a header of 4 bytes, how long all of it is, and then for each sector of content how long it
 * is when it is packed, 4 bytes, and an LZO1X stream; lengths that would lie across the end of a sector begin behind it.
 *
 * Source: btrfs.readthedocs.io, "Compression"; Linux, fs/btrfs/lzo.c (the comment on the format).
 */
import { unpackLzo } from '../../bytes/lzo.ts';
import { zlib } from '../../bytes/zlib.ts';
import { viewOf } from './little-endian.ts';

/** What there is to unpack. */
export interface PackedPiece {
  /** By its number. */
  readonly compression: number;
  readonly bytes: Uint8Array;
  /** How long it is at most when it is unpacked, in bytes. */
  readonly length: number;
  readonly sectorSize: number;
}

/** No piece is longer than 128 KiB, so nothing refers back further. */
const zstdWindowLog = 17;
const lengthSize = 4;

/** Whether a kind of compression is known. */
export function isKnownCompression(compression: number): boolean {
  return compression <= 3;
}

/** Unpacks a piece; what is missing at its end is zeros. Throws some `Error` where it makes no sense, or holds more. */
export function unpackPiece({ compression, bytes, length, sectorSize }: PackedPiece): Uint8Array {
  if (compression === 0) return bytes;
  if (compression === 2) return unpackSectors(bytes, length, sectorSize);
  const { inflateSync, zstdDecompressSync, constants } = zlib();
  const options = { chunkSize: length + 64, maxOutputLength: length };
  const unpacked =
    compression === 1
      ? inflateSync(bytes, options)
      : zstdDecompressSync(bytes, { ...options, params: { [constants.ZSTD_d_windowLogMax]: zstdWindowLog } });
  if (unpacked.length === length) return unpacked;
  const whole = new Uint8Array(length);
  whole.set(unpacked);
  return whole;
}

function unpackSectors(bytes: Uint8Array, length: number, sectorSize: number): Uint8Array {
  const target = new Uint8Array(length);
  const view = viewOf(bytes);
  const end = bytes.length < lengthSize ? 0 : view.getUint32(0, true);
  if (end > bytes.length || end < lengthSize) throw new Error(`its LZO header says that it has ${end} bytes`);
  let read = lengthSize;
  for (let written = 0; written < length && read < end; written += sectorSize) {
    const left = sectorSize - (read % sectorSize);
    if (left < lengthSize) read += left;
    if (read + lengthSize > end) break;
    const packed = view.getUint32(read, true);
    read += lengthSize;
    if (packed > end - read) throw new Error(`a sector of ${packed} LZO bytes is cut off`);
    unpackLzo(bytes.subarray(read, read + packed), target.subarray(written, Math.min(length, written + sectorSize)));
    read += packed;
  }
  return target;
}
