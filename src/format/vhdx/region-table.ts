/*
 * A region table: 64 KiB, little-endian. It stands twice in the first megabyte.
 *
 * | offset | size | field | |
 * | ---: | ---: | --- | --- |
 * | 0 | 4 | Signature | `regi` |
 * | 4 | 4 | Checksum | CRC-32C of the 64 KiB with zeros here |
 * | 8 | 4 | EntryCount | at most 2047 |
 * | 12 | 4 | reserved | |
 * | 16 | 32 × n | entries | Guid (16), FileOffset (8), Length (4), Required (4: bit 0) |
 *
 * Source: MS-VHDX, section 2.2.3.
 */
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { decodeGuid, encodeGuid, type Guid } from '../../bytes/guid.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import { hasChecksum, putChecksum } from './checksum.ts';
import { headerPlaces, mebibyte } from './file-header.ts';

/** Of a region table, in bytes. */
export const regionTableLength = 65536;

/** A part of the file; offset and length in bytes. */
export interface Region {
  readonly offset: number;
  readonly length: number;
}

/** The regions of a VHDX that are known here. */
export interface Regions {
  readonly bat: Region;
  readonly metadata: Region;
}

const signature = 'regi';
const maximumEntryCount = 2047;
const batGuid: Guid = '2dc27766-f623-4200-9d64-115e9bfd4a08';
const metadataGuid: Guid = '8b7ca206-4790-4b9a-b8fe-575f050f886e';

/**
 * The regions that the first good one of two tables lists.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for a required region that is not known here
 */
export function decodeRegions(first: Uint8Array, second: Uint8Array, name: string): Regions {
  const good = [first, second].find((bytes) => isGood(bytes));
  if (good === undefined) throw corruptImage(name, 'neither of its region tables has the right Signature and Checksum');
  const found = decodeEntries(good, name);
  const bat = found.get(batGuid);
  const metadata = found.get(metadataGuid);
  if (bat === undefined) throw corruptImage(name, 'its region table lists no BAT');
  if (metadata === undefined) throw corruptImage(name, 'its region table lists no metadata region');
  return { bat, metadata };
}

function isGood(bytes: Uint8Array): boolean {
  return Buffer.from(bytes.subarray(0, 4)).toString('latin1') === signature && hasChecksum(bytes);
}

function decodeEntries(bytes: Uint8Array, name: string): Map<Guid, Region> {
  const reader = new ByteReader(bytes, `region table of ${name}`);
  reader.skip(8);
  const count = reader.u32le();
  if (count > maximumEntryCount) throw corruptImage(name, `EntryCount of its region table is ${count}, over 2047`);
  reader.skip(4);
  const found = new Map<Guid, Region>();
  for (let index = 0; index < count; index += 1) {
    const guid = decodeGuid(reader.bytes(16));
    const region = { offset: reader.u64le('FileOffset'), length: reader.u32le() };
    const isRequired = (reader.u32le() & 1) === 1;
    checkRegion(guid, region, name);
    if (found.has(guid)) throw corruptImage(name, `its region table lists the region ${guid} twice`);
    if (guid === batGuid || guid === metadataGuid) found.set(guid, region);
    else if (isRequired) throw unsupportedImage(name, `it needs the region ${guid}, which is not known here`);
  }
  return found;
}

function checkRegion(guid: Guid, { length, offset }: Region, name: string): void {
  if (offset % mebibyte === 0 && length % mebibyte === 0 && offset >= headerPlaces.end && length > 0) return;
  const place = `FileOffset ${offset} and Length ${length}`;
  throw corruptImage(name, `the region ${guid} has ${place}, which must be multiples of 1 MiB from 1 MiB on`);
}

/** The 64 KiB of a region table. */
export function encodeRegions({ bat, metadata }: Regions): Uint8Array {
  const writer = new ByteWriter(regionTableLength);
  writer.utf8(signature);
  writer.skip(4);
  writer.u32le(2);
  writer.skip(4);
  for (const [guid, { length, offset }] of [[batGuid, bat] as const, [metadataGuid, metadata] as const]) {
    writer.put(encodeGuid(guid));
    writer.u64le(offset);
    writer.u32le(length);
    writer.u32le(1);
  }
  return putChecksum(writer.bytes);
}
