/*
 * The footer: 512 bytes at the end of every VHD, and once more at the start of one that is not fixed. Big-endian.
 *
 * | offset | size | field | |
 * | ---: | ---: | --- | --- |
 * | 0 | 8 | Cookie | `conectix` |
 * | 8 | 4 | Features | bit 1 is always set |
 * | 12 | 4 | File Format Version | 0x00010000 |
 * | 16 | 8 | Data Offset | of the dynamic disk header; all ones in a fixed disk |
 * | 24 | 4 | Time Stamp | seconds since 2000-01-01 UTC |
 * | 28 | 4 | Creator Application | |
 * | 32 | 4 | Creator Version | |
 * | 36 | 4 | Creator Host OS | |
 * | 40 | 8 | Original Size | in bytes |
 * | 48 | 8 | Current Size | in bytes |
 * | 56 | 4 | Disk Geometry | cylinders (2), heads (1), sectors per track (1) |
 * | 60 | 4 | Disk Type | 2 fixed, 3 dynamic, 4 differencing |
 * | 64 | 4 | Checksum | |
 * | 68 | 16 | Unique Id | |
 * | 84 | 1 | Saved State | |
 * | 85 | 427 | reserved | |
 *
 * Source: Microsoft, Virtual Hard Disk Image Format Specification 1.0, "Hard Disk Footer Format".
 */
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { decodeUuid, encodeUuid, type Guid } from '../../bytes/guid.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import { vhdChecksum } from './checksum.ts';
import type { Geometry } from './geometry.ts';

/** Of a footer, in bytes. Virtual PC before 2004 wrote one byte less. */
export const footerLength = 512;

/** How a VHD keeps its disk. */
export type VhdType = 'fixed' | 'dynamic' | 'differencing';

/** What a footer says. */
export interface VhdFooter {
  /** Where the dynamic disk header is, in bytes; undefined in a fixed disk. */
  readonly dataOffset: number | undefined;
  /** Seconds since 2000-01-01 UTC. */
  readonly timestamp: number;
  /** Four characters, some of which may be NUL. */
  readonly creatorApplication: string;
  /** In bytes. */
  readonly currentSize: number;
  readonly geometry: Geometry;
  readonly type: VhdType;
  readonly uniqueId: Guid;
}

const cookie = 'conectix';
const checksumPlace = 64;
const typePlace = 60;
const fileFormatVersion = 0x0001_0000;
const noDataOffset = 0xffff_ffff_ffff_ffffn;
const typeNumbers: readonly (readonly [VhdType, number])[] = [
  ['fixed', 2],
  ['dynamic', 3],
  ['differencing', 4],
];

/** Whether `bytes` start as a footer does. */
export function startsAsFooter(bytes: Uint8Array): boolean {
  return bytes.length >= cookie.length && Buffer.from(bytes.subarray(0, cookie.length)).toString('latin1') === cookie;
}

/** Whether 512 bytes are a whole footer, unharmed. */
export function isFooter(bytes: Uint8Array): boolean {
  if (bytes.length !== footerLength || !startsAsFooter(bytes)) return false;
  return Buffer.from(bytes).readUInt32BE(checksumPlace) === vhdChecksum(bytes, checksumPlace);
}

/** The disk type that the bytes of a footer tell; undefined for one that nobody knows. */
export function footerType(bytes: Uint8Array): VhdType | undefined {
  const number = Buffer.from(bytes).readUInt32BE(typePlace);
  return typeNumbers.find(([, each]) => each === number)?.[0];
}

/**
 * The footer in 512 bytes for which `isFooter` holds; `name` is the image's in errors.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export function decodeFooter(bytes: Uint8Array, name: string): VhdFooter {
  const reader = new ByteReader(bytes, `footer of ${name}`);
  reader.skip(12);
  const version = reader.u32be();
  if (version >>> 16 !== 1) throw unsupportedImage(name, `its VHD version is ${version >>> 16}, not 1`);
  const type = footerType(bytes);
  if (type === undefined) throw unsupportedImage(name, 'its VHD disk type is none of fixed, dynamic and differencing');
  if (type === 'fixed') reader.skip(8);
  const dataOffset = type === 'fixed' ? undefined : reader.u64be('Data Offset');
  const timestamp = reader.u32be();
  const creatorApplication = Buffer.from(reader.bytes(4)).toString('latin1');
  reader.skip(16);
  const currentSize = reader.u64be('Current Size');
  const geometry = { cylinders: reader.u16be(), heads: reader.u8(), sectorsPerTrack: reader.u8() };
  reader.seek(68);
  const uniqueId = decodeUuid(reader.bytes(16));
  if (dataOffset !== undefined && dataOffset % 512 !== 0) {
    throw corruptImage(name, `the footer's Data Offset is ${dataOffset}, which is no multiple of 512`);
  }
  return { dataOffset, timestamp, creatorApplication, currentSize, geometry, type, uniqueId };
}

/** The 512 bytes of a footer. */
export function encodeFooter(footer: VhdFooter): Uint8Array {
  const writer = new ByteWriter(footerLength);
  writer.utf8(cookie);
  writer.u32be(2);
  writer.u32be(fileFormatVersion);
  writer.opaque64be(footer.dataOffset === undefined ? noDataOffset : BigInt(footer.dataOffset));
  writer.u32be(footer.timestamp);
  writer.put(Buffer.from(footer.creatorApplication, 'latin1'));
  writer.u32be(0x0005_0003);
  writer.utf8('Wi2k');
  writer.u64be(footer.currentSize);
  writer.u64be(footer.currentSize);
  writer.u16be(footer.geometry.cylinders);
  writer.u8(footer.geometry.heads);
  writer.u8(footer.geometry.sectorsPerTrack);
  writer.u32be(typeNumbers.find(([type]) => type === footer.type)![1]);
  writer.seek(68);
  writer.put(encodeUuid(footer.uniqueId));
  writer.seek(checksumPlace);
  writer.u32be(vhdChecksum(writer.bytes, checksumPlace));
  return writer.bytes;
}
