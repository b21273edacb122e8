/*
 * A parent locator: keys and values in UTF-16, little-endian, which say where the file is that a differencing disk
 * builds on.
 *
 * | offset | size | field | |
 * | ---: | ---: | --- | --- |
 * | 0 | 16 | LocatorType | `b04aefb7-d19e-4a81-b789-25b8e9445913` |
 * | 16 | 2 | reserved | |
 * | 18 | 2 | KeyValueCount | |
 * | 20 | 12 × n | entries | KeyOffset (4), ValueOffset (4), KeyLength (2), ValueLength (2) |
 *
 * Keys: parent_linkage and parent_linkage2 (a GUID in braces), relative_path, volume_path, absolute_win32_path.
 *
 * Source: MS-VHDX, sections 2.6.2.6.1 to 2.6.2.6.3.
 */
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { decodeGuid, encodeGuid, type Guid } from '../../bytes/guid.ts';
import { unsupportedImage } from '../image-errors.ts';

const locatorType: Guid = 'b04aefb7-d19e-4a81-b789-25b8e9445913';
const headerLength = 20;
const entryLength = 12;
/** There are five keys; texts may lie on one another, so their number is what bounds the work. */
const maximumCount = 64;

/**
 * The values by their keys.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for a locator of another type
 */
export function decodeParentLocator(bytes: Uint8Array, name: string): Map<string, string> {
  const reader = new ByteReader(bytes, `parent locator of ${name}`);
  const type = decodeGuid(reader.bytes(16));
  if (type !== locatorType) throw unsupportedImage(name, `its parent locator has the LocatorType ${type}`);
  reader.skip(2);
  const count = reader.u16le();
  if (count > maximumCount) throw unsupportedImage(name, `KeyValueCount of its parent locator is ${count}, over 64`);
  const found = new Map<string, string>();
  for (let index = 0; index < count; index += 1) {
    reader.seek(headerLength + index * entryLength);
    const [keyOffset, valueOffset] = [reader.u32le(), reader.u32le()];
    const [keyLength, valueLength] = [reader.u16le(), reader.u16le()];
    const key = textAt(reader, keyOffset, keyLength);
    found.set(key, textAt(reader, valueOffset, valueLength));
  }
  return found;
}

function textAt(reader: ByteReader, offset: number, length: number): string {
  reader.seek(offset);
  return Buffer.from(reader.bytes(length)).toString('utf16le');
}

/** The bytes of a parent locator. */
export function encodeParentLocator(values: ReadonlyMap<string, string>): Uint8Array {
  const textLength = [...values].reduce((sum, [key, value]) => sum + (key.length + value.length) * 2, 0);
  let end = headerLength + values.size * entryLength;
  const writer = new ByteWriter(end + textLength);
  writer.put(encodeGuid(locatorType));
  writer.skip(2);
  writer.u16le(values.size);
  for (const [key, value] of values) {
    const [keyBytes, valueBytes] = [Buffer.from(key, 'utf16le'), Buffer.from(value, 'utf16le')];
    writer.u32le(end);
    writer.u32le(end + keyBytes.length);
    writer.u16le(keyBytes.length);
    writer.u16le(valueBytes.length);
    writer.bytes.set(keyBytes, end);
    writer.bytes.set(valueBytes, end + keyBytes.length);
    end += keyBytes.length + valueBytes.length;
  }
  return writer.bytes;
}
