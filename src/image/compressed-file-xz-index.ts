/*
 * Where the blocks of an xz file are, which its end tells. A file has one stream or several, with zeros between them in
 * words of four bytes; a stream is, with numbers in little-endian order:
 *
 *   12 bytes  header: fd "7zXZ" 00, two bytes of flags, their CRC-32
 *             the blocks, each padded to a multiple of four
 *             index: 00, count of records; a record for each block: its length without the padding, its length
 *             unpacked; zeros up to a multiple of four; CRC-32 of all that. Its numbers have seven bits a byte, the
 *             lowest first, the top bit saying that more follow
 *   12 bytes  footer: CRC-32 of the next six bytes, length of the index / 4 − 1, the same flags, "YZ"
 *
 * Source: The .xz File Format 1.2.0, sections 2 to 4.
 */
import type { BlockDevice } from '../block/block-device.ts';
import { alignUp } from '../bytes/align.ts';
import { zlib } from '../bytes/zlib.ts';

/** A block that can be unpacked by itself. Offsets and lengths in bytes. */
export interface XzBlock {
  /** Where it is in the file, with its padding. */
  readonly fileOffset: number;
  readonly fileLength: number;
  /** Without the padding, as the index has it. */
  readonly unpaddedLength: number;
  /** Where it belongs in what is inside. */
  readonly offset: number;
  readonly length: number;
  /** Of its stream: how it is checked. */
  readonly flags: Uint8Array;
}

/** Of a header and of a footer. */
const endLength = 12;
/** Of an index that is read at once; one with that many blocks has less. */
const maximumIndexLength = 2 ** 20;
/** Beyond them a file is unpacked from its start. */
const maximumBlocks = 2 ** 16;
const maximumPadding = 2 ** 16;

/**
 * The blocks of an xz file, in order. Undefined for a file with anything unusual about it, and a damaged one: whoever
 * then unpacks it from its start finds out what that is.
 */
export async function readXzBlocks(file: BlockDevice): Promise<readonly XzBlock[] | undefined> {
  const streams: Omit<XzBlock, 'offset'>[][] = [];
  let blockCount = 0;
  for (let end = await withoutPadding(file, file.size); end !== 0; ) {
    const stream: Stream | undefined = end === undefined ? undefined : await readStream(file, end);
    if (stream === undefined) return undefined;
    streams.unshift(stream.blocks);
    blockCount += stream.blocks.length;
    if (blockCount > maximumBlocks || streams.length > maximumBlocks) return undefined;
    end = await withoutPadding(file, stream.start);
  }
  let offset = 0;
  const blocks = streams.flat().map((block) => {
    offset += block.length;
    return { ...block, offset: offset - block.length };
  });
  return Number.isSafeInteger(offset) ? blocks : undefined;
}

/** The file of a stream that has only this block: `block` stands between the two. */
export function xzStreamAround({ flags, length, unpaddedLength }: XzBlock): { head: Uint8Array; tail: Uint8Array } {
  const records = Buffer.from([0, 1, ...encodeNumber(unpaddedLength), ...encodeNumber(length)]);
  const index = Buffer.concat([records, Buffer.alloc(alignUp(records.length, 4) - records.length)]);
  const footer = Buffer.alloc(6);
  // The checksum of the index belongs to it.
  footer.writeUInt32LE(index.length / 4);
  footer.set(flags, 4);
  const magic = Buffer.from('fd377a585a00', 'hex');
  return {
    head: Buffer.concat([magic, flags, checksum(flags)]),
    tail: Buffer.concat([index, checksum(index), checksum(footer), footer, Buffer.from('YZ')]),
  };
}

interface Stream {
  /** Where it starts in the file. */
  readonly start: number;
  readonly blocks: Omit<XzBlock, 'offset'>[];
}

/** The stream that ends at `end`. */
async function readStream(file: BlockDevice, end: number): Promise<Stream | undefined> {
  const footer = await readAt(file, end - endLength, endLength);
  if (footer === undefined || footer.toString('latin1', 10) !== 'YZ' || !hasChecksum(footer, 0, 4, 10))
    return undefined;
  const indexLength = (footer.readUInt32LE(4) + 1) * 4;
  const indexStart = end - endLength - indexLength;
  if (indexLength > maximumIndexLength) return undefined;
  const index = await readAt(file, indexStart, indexLength);
  const records = index && decodeIndex(index);
  if (records === undefined) return undefined;
  const blocksLength = records.reduce((sum, [unpadded]) => sum + alignUp(unpadded, 4), 0);
  const start = indexStart - blocksLength - endLength;
  const header = await readAt(file, start, endLength);
  const flags = footer.subarray(8, 10);
  if (header?.toString('hex', 0, 6) !== 'fd377a585a00' || !hasChecksum(header, 8, 6, 8)) return undefined;
  if (Buffer.compare(header.subarray(6, 8), flags) !== 0) return undefined;
  let fileOffset = start + endLength;
  const blocks = records.map(([unpaddedLength, length]) => {
    const fileLength = alignUp(unpaddedLength, 4);
    fileOffset += fileLength;
    return { fileOffset: fileOffset - fileLength, fileLength, unpaddedLength, length, flags };
  });
  return { start, blocks };
}

type Record_ = readonly [unpaddedLength: number, length: number];

function decodeIndex(index: Buffer): Record_[] | undefined {
  if (index[0] !== 0 || !hasChecksum(index, index.length - 4, 0, index.length - 4)) return undefined;
  const numbers = decodeNumbers(index.subarray(1, index.length - 4));
  const count = numbers[0] ?? 0;
  // Zeros that fill up the index look like numbers, too.
  const isComplete = numbers.length > 2 * count && numbers.length <= 2 * count + 4;
  if (!isComplete || numbers.slice(1 + 2 * count).some((number) => number !== 0)) return undefined;
  const records = Array.from({ length: count }, (_, record): Record_ => {
    return [numbers[1 + 2 * record]!, numbers[2 + 2 * record]!];
  });
  const areSafe = records.every((record) => record.every((number) => number > 0 && number <= 2 ** 52));
  return areSafe ? records : undefined;
}

function decodeNumbers(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  let [value, factor] = [0, 1];
  for (const byte of bytes) {
    value += (byte & 0x7f) * factor;
    factor *= 128;
    if (byte >= 0x80) continue;
    numbers.push(value);
    [value, factor] = [0, 1];
  }
  return numbers;
}

function encodeNumber(number: number): number[] {
  const bytes: number[] = [];
  for (let rest = number; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return [...bytes, rest];
    bytes.push((rest % 128) + 128);
  }
}

/** Where the stream before `end` ends, with words of zeros between. */
async function withoutPadding(file: BlockDevice, end: number): Promise<number | undefined> {
  const start = Math.max(end - maximumPadding, 0);
  const bytes = await readAt(file, start, end - start);
  const streamEnd = start + (bytes?.findLastIndex((byte) => byte !== 0) ?? -1) + 1;
  const isEnd = end === 0 || (streamEnd > start && (end - streamEnd) % 4 === 0);
  return isEnd ? streamEnd : undefined;
}

async function readAt(file: BlockDevice, offset: number, length: number): Promise<Buffer | undefined> {
  if (!(offset >= 0 && offset + length <= file.size)) return undefined;
  const bytes = Buffer.alloc(length);
  if (length > 0) await file.read(bytes, offset);
  return bytes;
}

function hasChecksum(bytes: Buffer, place: number, start: number, end: number): boolean {
  return bytes.readUInt32LE(place) === zlib().crc32(bytes.subarray(start, end));
}

function checksum(bytes: Uint8Array): Buffer {
  const written = Buffer.alloc(4);
  written.writeUInt32LE(zlib().crc32(bytes));
  return written;
}
