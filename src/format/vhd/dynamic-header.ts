/*
 * The dynamic disk header: 1024 bytes where the footer's Data Offset says. Big-endian.
 *
 * | offset | size | field | |
 * | ---: | ---: | --- | --- |
 * | 0 | 8 | Cookie | `cxsparse` |
 * | 8 | 8 | Data Offset | all ones |
 * | 16 | 8 | Table Offset | of the block allocation table, in bytes |
 * | 24 | 4 | Header Version | 0x00010000 |
 * | 28 | 4 | Max Table Entries | at least as many as the disk has blocks |
 * | 32 | 4 | Block Size | of the data alone, in bytes, a power of two |
 * | 36 | 4 | Checksum | |
 * | 40 | 16 | Parent Unique Id | of the parent's footer |
 * | 56 | 4 | Parent Time Stamp | |
 * | 60 | 4 | reserved | |
 * | 64 | 512 | Parent Unicode Name | UTF-16, big-endian |
 * | 576 | 8 × 24 | Parent Locator Entries | |
 * | 768 | 256 | reserved | |
 *
 * A parent locator entry: Platform Code (4), Platform Data Space (4), Platform Data Length (4), reserved (4), Platform
 * Data Offset (8).
 *
 * Source: Microsoft, Virtual Hard Disk Image Format Specification 1.0, "Dynamic Disk Header Format".
 */
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { decodeUuid, encodeUuid, type Guid, zeroGuid } from '../../bytes/guid.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import { vhdChecksum } from './checksum.ts';

/** Of the header, in bytes. */
export const dynamicHeaderLength = 1024;

/** Where a name of the parent is in the file, offset and length in bytes. */
export interface ParentLocator {
  /** `W2ru`, `W2ku`, `MacX` … */
  readonly platform: string;
  readonly length: number;
  readonly offset: number;
}

/** What a dynamic disk header says. */
export interface DynamicHeader {
  /** In bytes. */
  readonly tableOffset: number;
  readonly maxTableEntries: number;
  /** In bytes. */
  readonly blockSize: number;
  readonly parentUniqueId: Guid;
  readonly parentName: string;
  readonly parentLocators: readonly ParentLocator[];
}

const cookie = 'cxsparse';
const checksumPlace = 36;
const parentNameLength = 512;
const locatorCount = 8;
const noDataOffset = 0xffff_ffff_ffff_ffffn;

/**
 * The header in 1024 bytes; `name` is the image's in errors.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export function decodeDynamicHeader(bytes: Uint8Array, name: string): DynamicHeader {
  const reader = new ByteReader(bytes, `dynamic disk header of ${name}`);
  if (Buffer.from(reader.bytes(cookie.length)).toString('latin1') !== cookie) {
    throw corruptImage(name, `its dynamic disk header does not start with ${cookie}`);
  }
  reader.skip(8);
  const tableOffset = reader.u64be('Table Offset');
  const version = reader.u32be();
  const maxTableEntries = reader.u32be();
  const blockSize = reader.u32be();
  const checksum = reader.u32be();
  if (checksum !== vhdChecksum(bytes, checksumPlace)) {
    throw corruptImage(name, 'the Checksum of its dynamic disk header is wrong');
  }
  if (version >>> 16 !== 1) throw unsupportedImage(name, `its Header Version is ${version >>> 16}, not 1`);
  const parentUniqueId = decodeUuid(reader.bytes(16));
  reader.skip(8);
  const parentName = decodeUtf16be(reader.bytes(parentNameLength));
  const parentLocators = Array.from({ length: locatorCount }, () => decodeLocator(reader, name));
  return { tableOffset, maxTableEntries, blockSize, parentUniqueId, parentName, parentLocators };
}

function decodeLocator(reader: ByteReader, name: string): ParentLocator {
  const platform = Buffer.from(reader.bytes(4)).toString('latin1');
  reader.skip(4);
  const length = reader.u32be();
  reader.skip(4);
  const rest = new ByteReader(reader.bytes(8), `a parent locator's Platform Data Offset in ${name}`);
  // What a slot holds that is not used says nothing.
  const offset = platform === '\0\0\0\0' ? 0 : rest.u64be('Platform Data Offset');
  return { platform, length, offset };
}

function decodeUtf16be(bytes: Uint8Array): string {
  return Buffer.from(bytes).swap16().toString('utf16le').replace(/\0.*$/s, '');
}

/** The 1024 bytes of a header; of parent locators at most 8. */
export function encodeDynamicHeader(header: DynamicHeader): Uint8Array {
  const writer = new ByteWriter(dynamicHeaderLength);
  writer.utf8(cookie);
  writer.opaque64be(noDataOffset);
  writer.u64be(header.tableOffset);
  writer.u32be(0x0001_0000);
  writer.u32be(header.maxTableEntries);
  writer.u32be(header.blockSize);
  writer.seek(checksumPlace + 4);
  writer.put(encodeUuid(header.parentUniqueId));
  writer.skip(8);
  writer.put(Buffer.from(header.parentName, 'utf16le').swap16());
  writer.seek(64 + parentNameLength);
  for (const locator of header.parentLocators) {
    writer.utf8(locator.platform);
    // In bytes, as Windows has it, though the specification says sectors.
    writer.u32be(Math.ceil(locator.length / 512) * 512);
    writer.u32be(locator.length);
    writer.u32be(0);
    writer.u64be(locator.offset);
  }
  writer.seek(checksumPlace);
  writer.u32be(vhdChecksum(writer.bytes, checksumPlace));
  return writer.bytes;
}

/** A header for a disk that builds on no other. */
export function plainDynamicHeader(tableOffset: number, maxTableEntries: number, blockSize: number): DynamicHeader {
  const parent = { parentUniqueId: zeroGuid, parentName: '', parentLocators: [] };
  return { tableOffset, maxTableEntries, blockSize, ...parent };
}
