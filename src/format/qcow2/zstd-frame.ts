/*
 * The length of a Zstandard frame, which nothing in a qcow2 image tells: the bytes of a compressed cluster end
 * somewhere in their last sector, and a decoder that goes on takes what follows for another frame.
 *
 *   4 bytes        magic 0xfd2fb528, little-endian
 *   1 byte         descriptor: bits 0–1 dictionary id size, 2 checksum, 5 single segment, 6–7 content size
 *   0 or 1         window descriptor, unless single segment
 *   0, 1, 2, 4     dictionary id
 *   0, 1, 2, 4, 8  content size
 *   blocks         3 bytes little-endian each: bit 0 last, 1–2 type (1: one byte repeated), 3–23 size; then the body
 *   0 or 4         checksum
 *
 * Source: RFC 8878, section 3.1.1.
 */
import { ByteReader } from '../../bytes/byte-reader.ts';

const magic = 0xfd2fb528;
const dictionaryIdLengths = [0, 1, 2, 4] as const;
const contentSizeLengths = [0, 2, 4, 8] as const;

/**
 * How many bytes the frame at the start of `bytes` has; undefined where that is no frame.
 *
 * @throws VarveError `CORRUPT` where it is cut off; `what` names it in the message
 */
export function zstdFrameLength(bytes: Uint8Array, what: string): number | undefined {
  const reader = new ByteReader(bytes, what);
  if (reader.u32le() !== magic) return undefined;
  const descriptor = reader.u8();
  const isSingleSegment = (descriptor & 0x20) !== 0;
  if (!isSingleSegment) reader.skip(1);
  reader.skip(dictionaryIdLengths[(descriptor & 3) as 0 | 1 | 2 | 3]);
  const contentSizeLength = contentSizeLengths[(descriptor >>> 6) as 0 | 1 | 2 | 3];
  reader.skip(isSingleSegment && contentSizeLength === 0 ? 1 : contentSizeLength);
  for (let isLast = false; !isLast; ) {
    const header = reader.u8() | (reader.u8() << 8) | (reader.u8() << 16);
    isLast = (header & 1) === 1;
    const isRepeatedByte = ((header >>> 1) & 3) === 1;
    reader.skip(isRepeatedByte ? 1 : header >>> 3);
  }
  if ((descriptor & 4) !== 0) reader.skip(4);
  return reader.position;
}
