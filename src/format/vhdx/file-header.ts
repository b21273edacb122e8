/*
 * The first megabyte of a VHDX. Little-endian.
 *
 * | offset | size | |
 * | ---: | ---: | --- |
 * | 0 | 64 KiB | file type identifier: `vhdxfile` (8), Creator in UTF-16 (512) |
 * | 64 KiB | 64 KiB | header 1, of which 4 KiB count |
 * | 128 KiB | 64 KiB | header 2 |
 * | 192 KiB | 64 KiB | region table 1 |
 * | 256 KiB | 64 KiB | region table 2 |
 *
 * A header:
 *
 * | offset | size | field | |
 * | ---: | ---: | --- | --- |
 * | 0 | 4 | Signature | `head` |
 * | 4 | 4 | Checksum | CRC-32C of the 4096 bytes with zeros here |
 * | 8 | 8 | SequenceNumber | the larger one is current |
 * | 16 | 16 | FileWriteGuid | |
 * | 32 | 16 | DataWriteGuid | what children know the content by |
 * | 48 | 16 | LogGuid | all zeros where there is nothing to replay |
 * | 64 | 2 | LogVersion | 0 |
 * | 66 | 2 | Version | 1 |
 * | 68 | 4 | LogLength | a multiple of 1 MiB |
 * | 72 | 8 | LogOffset | a multiple of 1 MiB |
 *
 * Source: MS-VHDX, sections 2.2, 2.2.1 and 2.2.2.
 */
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { decodeGuid, encodeGuid, type Guid } from '../../bytes/guid.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import { hasChecksum, putChecksum } from './checksum.ts';

/** What a header says that counts here. */
export interface VhdxHeader {
  readonly sequenceNumber: bigint;
  readonly fileWriteGuid: Guid;
  readonly dataWriteGuid: Guid;
  readonly logGuid: Guid;
  /** In bytes. */
  readonly logLength: number;
  /** In bytes. */
  readonly logOffset: number;
}

/** Where things are in the first megabyte, in bytes. */
export const headerPlaces = {
  headers: [65536, 131072],
  regionTables: [196608, 262144],
  end: 2 ** 20,
} as const;

/** How much of a header's 64 KiB counts. */
export const headerLength = 4096;
/** What regions and blocks are multiples of, in bytes. */
export const mebibyte = 2 ** 20;

const identifier = 'vhdxfile';
const signature = 'head';

/** Whether a file starts as a VHDX does. */
export function startsAsVhdx(head: Uint8Array): boolean {
  return Buffer.from(head.subarray(0, identifier.length)).toString('latin1') === identifier;
}

/** The file type identifier, without what is left of its 64 KiB. */
export function encodeIdentifier(creator: string): Uint8Array {
  const writer = new ByteWriter(identifier.length + 512);
  writer.utf8(identifier);
  writer.put(Buffer.from(creator, 'utf16le'));
  return writer.bytes;
}

/**
 * The current one of the two headers: the good one, or of two good ones the one with the larger sequence number.
 *
 * @throws VarveError `CORRUPT` where none is good, or two that say different things claim to be current; `UNSUPPORTED`
 */
export function currentHeader(first: Uint8Array, second: Uint8Array, name: string): VhdxHeader {
  const good = [first, second].filter((bytes) => isGood(bytes));
  const headers = good.map((bytes) => decodeHeader(bytes, name));
  const [one, other] = headers;
  if (one === undefined) throw corruptImage(name, 'neither of its headers has the right Signature and Checksum');
  if (other === undefined) return checked(one, name);
  if (one.sequenceNumber === other.sequenceNumber && Buffer.compare(good[0]!, good[1]!) !== 0) {
    throw corruptImage(name, `its two headers differ, and both have the SequenceNumber ${one.sequenceNumber}`);
  }
  return checked(one.sequenceNumber >= other.sequenceNumber ? one : other, name);
}

function isGood(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 4)).toString('latin1') === signature && hasChecksum(bytes);
}

interface VersionedHeader extends VhdxHeader {
  readonly logVersion: number;
  readonly version: number;
}

function decodeHeader(bytes: Uint8Array, name: string): VersionedHeader {
  const reader = new ByteReader(bytes, `header of ${name}`);
  reader.skip(8);
  return {
    sequenceNumber: reader.opaque64le(),
    fileWriteGuid: decodeGuid(reader.bytes(16)),
    dataWriteGuid: decodeGuid(reader.bytes(16)),
    logGuid: decodeGuid(reader.bytes(16)),
    logVersion: reader.u16le(),
    version: reader.u16le(),
    logLength: reader.u32le(),
    logOffset: reader.u64le('LogOffset'),
  };
}

function checked(header: VersionedHeader, name: string): VhdxHeader {
  const { logLength, logOffset, version } = header;
  if (version !== 1) throw unsupportedImage(name, `its Version is ${version}, not 1`);
  if (logLength % mebibyte !== 0) throw corruptImage(name, `LogLength is ${logLength}, which is no multiple of 1 MiB`);
  if (logOffset % mebibyte !== 0 || (logLength > 0 && logOffset < headerPlaces.end)) {
    throw corruptImage(name, `LogOffset is ${logOffset}, and must be a multiple of 1 MiB from 1 MiB on`);
  }
  return header;
}

/** The 4096 bytes of a header. */
export function encodeHeader(header: VhdxHeader): Uint8Array {
  const writer = new ByteWriter(headerLength);
  writer.utf8(signature);
  writer.skip(4);
  writer.opaque64le(header.sequenceNumber);
  writer.put(encodeGuid(header.fileWriteGuid));
  writer.put(encodeGuid(header.dataWriteGuid));
  writer.put(encodeGuid(header.logGuid));
  writer.u16le(0);
  writer.u16le(1);
  writer.u32le(header.logLength);
  writer.u64le(header.logOffset);
  return putChecksum(writer.bytes);
}
