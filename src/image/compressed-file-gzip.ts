/*
 * A member of a gzip file; a file has one or more:
 *
 *   byte  0–1  magic 1f 8b         4–7  time
 *         2    method, 8           8–9  hints
 *         3    flags               10–  by flags: extra field, name, comment, CRC-16 of the header
 *
 * then deflate data, CRC-32 and length mod 2^32 of what that gives, both little-endian.
 *
 * Source: RFC 1952, section 2.3.
 */
import { constants, crc32, createInflateRaw } from 'node:zlib';
import { throughDecoder } from './compressed-file-decoder.ts';
import { CompressedFileError } from './compressed-file-error.ts';
import type { CompressedFileInput } from './compressed-file-input.ts';

const flag = { headerCrc: 2, extra: 4, name: 8, comment: 16, reserved: 0xe0 } as const;
const chunkSize = 2 ** 18;
/** Names and comments end with a zero byte some time. */
const maximumTextLength = 65536;

/** What a gzip file holds, all its members. What follows them and is none is passed over, as gzip does. */
export async function* gunzipped(input: CompressedFileInput): AsyncGenerator<Uint8Array> {
  do yield* member(input);
  while (isMember(await input.peek(2)));
}

function isMember(start: Uint8Array): boolean {
  return start[0] === 0x1f && start[1] === 0x8b;
}

async function* member(input: CompressedFileInput): AsyncGenerator<Uint8Array> {
  await skipHeader(input);
  let [crc, length] = [0, 0];
  for await (const piece of throughDecoder(createInflateRaw({ chunkSize, finishFlush: constants.Z_FINISH }), input)) {
    crc = crc32(piece, crc);
    length += piece.length;
    yield piece;
  }
  const trailer = await exactly(input, 8);
  if (trailer.readUInt32LE(0) !== crc) throw new CompressedFileError('damaged', 'its checksum is wrong');
  if (trailer.readUInt32LE(4) !== length % 2 ** 32) throw new CompressedFileError('damaged', 'its length is wrong');
}

async function skipHeader(input: CompressedFileInput): Promise<void> {
  const header = await exactly(input, 10);
  const flags = header.readUInt8(3);
  if (!isMember(header) || header.readUInt8(2) !== 8 || (flags & flag.reserved) !== 0) {
    throw new CompressedFileError('damaged', 'a header makes no sense');
  }
  if (flags & flag.extra) await exactly(input, (await exactly(input, 2)).readUInt16LE());
  if (flags & flag.name) await skipText(input);
  if (flags & flag.comment) await skipText(input);
  if (flags & flag.headerCrc) await exactly(input, 2);
}

async function skipText(input: CompressedFileInput): Promise<void> {
  const text = await input.peek(maximumTextLength);
  const end = text.indexOf(0);
  if (end === -1) throw new CompressedFileError('damaged', 'a name does not end');
  await exactly(input, end + 1);
}

async function exactly(input: CompressedFileInput, length: number): Promise<Buffer> {
  const bytes = await input.take(length);
  if (bytes.length < length) throw new CompressedFileError('cut off', 'it ends early');
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}
