import { VarveError } from '../base/varve-error.ts';
import { ByteReader } from '../bytes/byte-reader.ts';
import { ByteWriter } from '../bytes/byte-writer.ts';
import { zlib } from '../bytes/zlib.ts';
import { nameLength } from './chunk.ts';

// A pack, all integers little-endian (docs/formats/store.md, "Packs"):
//
//   header   16  magic "varve pack 1\n", zeros
//   bodies       one after the other, without gaps
//   index        nonce 16, then one entry of 48 bytes for each body, in the bodies' order:
//                  0 name 32 | 32 stored_length u32 | 36 length u32 | 40 crc32 u32 | 44 method u8 | 45 kind u8 | 46 zeros
//   footer   64  0 index_offset u64 | 8 index_length u64 | 16 index_name 32 | 48 crc32 of bytes 0..47 u32
//                | 52 zeros 4 | 56 magic "varvpck1"

/** What a body holds: 64 KiB of a disk, a node of a map, or the root record of one. */
export const bodyKinds = { chunk: 0, node: 1, root: 2 } as const;
export type BodyKind = (typeof bodyKinds)[keyof typeof bodyKinds];

/** How a body is stored: as it is, or as one zstd frame. */
export const bodyMethods = { plain: 0, zstd: 1 } as const;
export type BodyMethod = (typeof bodyMethods)[keyof typeof bodyMethods];

/** One body of a pack; lengths and the offset in bytes, the checksum (CRC-32) that of the stored bytes. */
export interface PackEntry {
  readonly name: Uint8Array;
  readonly offset: number;
  readonly storedLength: number;
  /** Its length once unpacked: at most 64 KiB. */
  readonly length: number;
  readonly crc32: number;
  readonly method: BodyMethod;
  readonly kind: BodyKind;
}

/** Where a pack's index stands. */
export interface PackFooter {
  readonly indexOffset: number;
  readonly indexLength: number;
  readonly indexName: Uint8Array;
}

export const packHeaderLength = 16;
export const packFooterLength = 64;
export const packNonceLength = 16;
const entryLength = 48;
const maximumBodyLength = 65_536;
const headerMagic = 'varve pack 1\n';
const footerMagic = 'varvpck1';

/** The size of a pack of `bodyCount` bodies that take `storedBytes` bytes. */
export function packSizeFor(bodyCount: number, storedBytes: number): number {
  return packHeaderLength + storedBytes + packNonceLength + bodyCount * entryLength + packFooterLength;
}

export function encodePackHeader(): Uint8Array {
  const writer = new ByteWriter(packHeaderLength);
  writer.utf8(headerMagic);
  return writer.bytes;
}

/** @throws CORRUPT when the bytes do not start a pack. */
export function checkPackHeader(bytes: Uint8Array, what: string): void {
  if (Buffer.compare(bytes, encodePackHeader()) === 0) return;
  throw new VarveError('CORRUPT', `${what}: does not start with "varve pack 1"`);
}

/** The index of a pack: `nonce` (16 random bytes, so that no two packs share a name), then the entries. */
export function encodePackIndex(nonce: Uint8Array, entries: readonly PackEntry[]): Uint8Array {
  const writer = new ByteWriter(packNonceLength + entries.length * entryLength);
  writer.put(nonce);
  for (const entry of entries) {
    writer.put(entry.name);
    writer.u32le(entry.storedLength);
    writer.u32le(entry.length);
    writer.u32le(entry.crc32);
    writer.u8(entry.method);
    writer.u8(entry.kind);
    writer.skip(2);
  }
  return writer.bytes;
}

/** @throws CORRUPT when the entries do not fill the `indexOffset` bytes before them exactly. */
export function decodePackIndex(index: Uint8Array, indexOffset: number, what: string): PackEntry[] {
  const reader = new ByteReader(index, what);
  reader.skip(packNonceLength);
  const entries: PackEntry[] = [];
  let offset = packHeaderLength;
  while (reader.remaining > 0) {
    const entry = decodeEntry(reader, offset, what);
    offset += entry.storedLength;
    entries.push(entry);
  }
  if (offset !== indexOffset)
    throw new VarveError('CORRUPT', `${what}: bodies end at ${offset}, not at ${indexOffset}`);
  return entries;
}

function decodeEntry(reader: ByteReader, offset: number, what: string): PackEntry {
  const name = reader.bytes(nameLength).slice();
  const storedLength = reader.u32le();
  const length = reader.u32le();
  const checksum = reader.u32le();
  const method = reader.u8();
  const kind = reader.u8();
  const reserved = reader.u16le();
  const plausible = storedLength > 0 && storedLength <= length && length <= maximumBodyLength && reserved === 0;
  if (!plausible || method > bodyMethods.zstd || kind > bodyKinds.root) {
    throw new VarveError('CORRUPT', `${what}: the entry for byte ${offset} makes no sense`);
  }
  return { name, offset, storedLength, length, crc32: checksum, method: method as BodyMethod, kind: kind as BodyKind };
}

export function encodePackFooter(footer: PackFooter): Uint8Array {
  const writer = new ByteWriter(packFooterLength);
  writer.u64le(footer.indexOffset);
  writer.u64le(footer.indexLength);
  writer.put(footer.indexName);
  writer.u32le(zlib().crc32(writer.bytes.subarray(0, 48)));
  writer.skip(4);
  writer.utf8(footerMagic);
  return writer.bytes;
}

/** @throws CORRUPT when the footer of a pack of `packSize` bytes is not one, or points outside. */
export function decodePackFooter(bytes: Uint8Array, packSize: number, what: string): PackFooter {
  const reader = new ByteReader(bytes, what);
  // The checks first: of a file that is cut short anything may stand in the place of the numbers.
  reader.seek(48);
  const checksum = reader.u32le();
  const reserved = reader.u32le();
  const magic = Buffer.from(reader.bytes(8)).toString('latin1');
  if (magic !== footerMagic || reserved !== 0 || checksum !== zlib().crc32(bytes.subarray(0, 48))) {
    throw new VarveError('CORRUPT', `${what}: the footer is damaged, or the file is cut short`);
  }
  reader.seek(0);
  const indexOffset = reader.u64le();
  const indexLength = reader.u64le();
  const indexName = reader.bytes(nameLength).slice();
  const whole = indexOffset + indexLength + packFooterLength === packSize && indexOffset >= packHeaderLength;
  if (!whole || (indexLength - packNonceLength) % entryLength !== 0 || indexLength < packNonceLength) {
    throw new VarveError('CORRUPT', `${what}: the footer does not fit a file of ${packSize} bytes`);
  }
  return { indexOffset, indexLength, indexName };
}
