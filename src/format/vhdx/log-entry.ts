/*
 * An entry of the log, in sectors of 4 KiB, little-endian. The log is a ring: an entry may go on at its start.
 *
 * | offset | size | field | |
 * | ---: | ---: | --- | --- |
 * | 0 | 4 | Signature | `loge` |
 * | 4 | 4 | Checksum | CRC-32C of the whole entry with zeros here |
 * | 8 | 4 | EntryLength | a multiple of 4096 |
 * | 12 | 4 | Tail | where in the log the oldest entry is that is still needed |
 * | 16 | 8 | SequenceNumber | one more than the entry before |
 * | 24 | 4 | DescriptorCount | |
 * | 28 | 4 | reserved | |
 * | 32 | 16 | LogGuid | the header's |
 * | 48 | 8 | FlushedFileOffset | the file is at least so long |
 * | 56 | 8 | LastFileOffset | and has to be, once all is replayed |
 * | 64 | 32 × n | descriptors | |
 *
 * A zero descriptor: `zero` (4), reserved (4), ZeroLength (8), FileOffset (8), SequenceNumber (8).
 * A data descriptor: `desc` (4), TrailingBytes (4), LeadingBytes (8), FileOffset (8), SequenceNumber (8).
 * Behind the descriptors' last sector, for each data descriptor: `data` (4), SequenceHigh (4), bytes 8 to 4091 of
 * what is to be written, SequenceLow (4).
 *
 * Source: MS-VHDX, sections 2.3.1 and 2.3.2.
 */
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { decodeGuid, encodeGuid, type Guid } from '../../bytes/guid.ts';
import { hasChecksum, putChecksum } from './checksum.ts';

/** What the log is counted in, in bytes. */
export const logSectorLength = 4096;

/** Something that is to be written to the file; zeros where no bytes are given. Offset and length in bytes. */
export interface LoggedWrite {
  readonly offset: number;
  readonly length: number;
  /** 4096 of them. */
  readonly bytes?: Uint8Array;
}

/** An entry that is whole. */
export interface LogEntry {
  readonly sequenceNumber: bigint;
  /** From the start of the log, in bytes. */
  readonly tail: number;
  /** In bytes. */
  readonly length: number;
  readonly flushedFileOffset: number;
  readonly lastFileOffset: number;
  /** In the order in which they are to be made. They come from the entry's bytes at each call: many take no memory. */
  writes(): readonly LoggedWrite[];
}

/** An entry that is to be made. */
export type NewLogEntry = Omit<LogEntry, 'length' | 'writes'> & { readonly writes: readonly LoggedWrite[] };

const headerLength = 64;
const descriptorLength = 32;

/** How long the entry says it is whose first sector this is, in bytes; undefined where it is none of the log. */
export function logEntryLength(sector: Uint8Array, logGuid: Guid, logLength: number): number | undefined {
  if (signatureAt(sector, 0) !== 'loge') return undefined;
  if (decodeGuid(sector.subarray(32, 48)) !== logGuid) return undefined;
  const length = new DataView(sector.buffer, sector.byteOffset).getUint32(8, true);
  return length > 0 && length % logSectorLength === 0 && length <= logLength ? length : undefined;
}

/** The entry in these bytes; undefined where any part of it is not as it was meant to be: a write that was cut off. */
export function decodeLogEntry(bytes: Uint8Array, logLength: number): LogEntry | undefined {
  if (!hasChecksum(bytes)) return undefined;
  try {
    return decodeEntry(bytes, logLength);
  } catch {
    // Fields that are too large, or descriptors past its end.
    return undefined;
  }
}

function decodeEntry(bytes: Uint8Array, logLength: number): LogEntry | undefined {
  const reader = new ByteReader(bytes, 'log entry');
  reader.skip(12);
  const tail = reader.u32le();
  const sequenceNumber = reader.opaque64le();
  const descriptorCount = reader.u32le();
  reader.skip(20);
  const [flushedFileOffset, lastFileOffset] = [reader.u64le('FlushedFileOffset'), reader.u64le('LastFileOffset')];
  if (sequenceNumber === 0n || tail % logSectorLength !== 0 || tail >= logLength) return undefined;
  if (headerLength + descriptorCount * descriptorLength > bytes.length) return undefined;
  const writes = () => decodeDescriptors(bytes, descriptorCount, sequenceNumber);
  if (writes() === undefined) return undefined;
  const known = { sequenceNumber, tail, length: bytes.length, flushedFileOffset, lastFileOffset };
  return { ...known, writes: () => writes() ?? [] };
}

function decodeDescriptors(bytes: Uint8Array, count: number, sequenceNumber: bigint): LoggedWrite[] | undefined {
  const writes: LoggedWrite[] = [];
  let sector = Math.ceil((headerLength + count * descriptorLength) / logSectorLength) * logSectorLength;
  for (let index = 0; index < count; index += 1) {
    const start = headerLength + index * descriptorLength;
    const reader = new ByteReader(bytes.subarray(start, start + descriptorLength), 'log descriptor');
    reader.skip(8);
    const kind = signatureAt(bytes, start);
    if (kind !== 'zero' && kind !== 'desc') return undefined;
    const length = kind === 'zero' ? reader.u64le('ZeroLength') : logSectorLength;
    reader.seek(16);
    const offset = reader.u64le('FileOffset');
    if (reader.opaque64le() !== sequenceNumber || offset % logSectorLength !== 0 || length % logSectorLength !== 0) {
      return undefined;
    }
    if (kind === 'zero') writes.push({ offset, length });
    else {
      const content = decodeData(bytes, start, sector, sequenceNumber);
      if (content === undefined) return undefined;
      writes.push({ offset, length, bytes: content });
      sector += logSectorLength;
    }
  }
  return writes;
}

/** The bytes that a data descriptor stands for: its own at both ends, and those of its sector between them. */
function decodeData(
  bytes: Uint8Array,
  descriptor: number,
  sector: number,
  sequenceNumber: bigint,
): Uint8Array | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (sector + logSectorLength > bytes.length || signatureAt(bytes, sector) !== 'data') return undefined;
  const low = BigInt(view.getUint32(sector + logSectorLength - 4, true));
  const high = BigInt(view.getUint32(sector + 4, true));
  if (((high << 32n) | low) !== sequenceNumber) return undefined;
  const content = bytes.slice(sector, sector + logSectorLength);
  content.set(bytes.subarray(descriptor + 8, descriptor + 16));
  content.set(bytes.subarray(descriptor + 4, descriptor + 8), logSectorLength - 4);
  return content;
}

function signatureAt(bytes: Uint8Array, offset: number): string {
  return Buffer.from(bytes.subarray(offset, offset + 4)).toString('latin1');
}

/** The bytes of an entry; its length follows from its writes. */
export function encodeLogEntry(entry: NewLogEntry, logGuid: Guid): Uint8Array {
  const { sequenceNumber, writes } = entry;
  const descriptorsEnd = headerLength + writes.length * descriptorLength;
  const dataStart = Math.ceil(descriptorsEnd / logSectorLength) * logSectorLength;
  const dataCount = writes.filter(({ bytes }) => bytes !== undefined).length;
  const writer = new ByteWriter(dataStart + dataCount * logSectorLength);
  writer.utf8('loge');
  writer.skip(4);
  writer.u32le(writer.bytes.length);
  writer.u32le(entry.tail);
  writer.opaque64le(sequenceNumber);
  writer.u32le(writes.length);
  writer.skip(4);
  writer.put(encodeGuid(logGuid));
  writer.u64le(entry.flushedFileOffset);
  writer.u64le(entry.lastFileOffset);
  for (const write of writes) encodeDescriptor(writer, write, sequenceNumber);
  writer.seek(dataStart);
  for (const { bytes } of writes) if (bytes !== undefined) encodeData(writer, bytes, sequenceNumber);
  return putChecksum(writer.bytes);
}

function encodeDescriptor(writer: ByteWriter, { bytes, length, offset }: LoggedWrite, sequenceNumber: bigint): void {
  writer.utf8(bytes === undefined ? 'zero' : 'desc');
  if (bytes === undefined) {
    writer.skip(4);
    writer.u64le(length);
  } else {
    writer.put(bytes.subarray(-4));
    writer.put(bytes.subarray(0, 8));
  }
  writer.u64le(offset);
  writer.opaque64le(sequenceNumber);
}

function encodeData(writer: ByteWriter, bytes: Uint8Array, sequenceNumber: bigint): void {
  writer.utf8('data');
  writer.u32le(Number(sequenceNumber >> 32n));
  writer.put(bytes.subarray(8, -4));
  writer.u32le(Number(sequenceNumber & 0xffff_ffffn));
}
