/*
 * An area of metadata on a physical volume: a header of 512 bytes, and behind it, up to the end of the area, a ring of
 * texts, of which the header names the newest. Numbers are little-endian:
 *
 *   byte  0–3   sum of bytes 4 to 511             32–39  length of the area, header and all
 *         4–19  " LVM2 x[5A%r0N*>"                40–…   places of texts, of 24 bytes each: 0 the one that counts, 1 one
 *        20–23  version, 1                               that is being written
 *        24–31  where on the device the area is
 *
 *   place  0–7  where in the area, 0 for none     16–19  sum of the text
 *          8–15 length of the text                20–23  1 for one that is to be ignored
 *
 * A text that reaches the end of the area goes on behind the header.
 *
 * Source: LVM2, lib/format_text/layout.h.
 */
import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { lvmChecksum } from './checksum.ts';

/** A text of metadata, and where it was found. */
export interface FoundMetadata {
  readonly text: string;
  /** For messages: `/dev/sda2: LVM2's metadata at byte 4096`. */
  readonly place: string;
}

const headerLength = 512;
const magic = ' LVM2 x[5A%r0N*>';
/** An area has 1 MiB by default; groups of thousands of volumes have some more. */
const longestText = 32 * 2 ** 20;

/** The text that counts of an area; undefined where there is none. @throws VarveError `CORRUPT` */
export async function readMetadataArea(
  device: BlockDevice,
  { offset, length: given }: { readonly offset: number; readonly length: number },
  name: string,
): Promise<FoundMetadata | undefined> {
  const place = `${name}: LVM2's metadata at byte ${offset}`;
  const corrupt = (why: string): VarveError => new VarveError('CORRUPT', `cannot read ${place}: ${why}`);
  // The length may be left out: to the end of the device then.
  const length = given === 0 ? device.size - offset : given;
  if (length < headerLength || offset + length > device.size) throw corrupt(`it has a length of ${length} bytes`);
  const header = new Uint8Array(headerLength);
  await device.read(header, offset);
  const reader = new ByteReader(header, place);
  const sum = reader.u32le();
  if (new TextDecoder('latin1').decode(reader.bytes(16)) !== magic) throw corrupt('it has no header');
  if (sum !== lvmChecksum(header.subarray(4))) throw corrupt('the checksum of its header is wrong');
  const version = reader.u32le();
  if (version !== 1) throw corrupt(`its version is ${version}, and only 1 is known`);
  if (reader.u64le() !== offset) throw corrupt('its header belongs to another place');
  reader.skip(8);
  const start = reader.u64le('place of a text');
  const textLength = reader.u64le('length of a text');
  const textSum = reader.u32le();
  const isIgnored = reader.u32le() % 2 === 1;
  if (start === 0 || textLength === 0 || isIgnored) return undefined;
  if (start < headerLength || start >= length || textLength > Math.min(length - headerLength, longestText)) {
    throw corrupt(`its text of ${textLength} bytes at byte ${start} does not fit in`);
  }
  const text = await readRing(device, offset, length, start, textLength);
  if (lvmChecksum(text) !== textSum) throw corrupt(`the checksum of its text at byte ${start} is wrong`);
  // It ends with a zero.
  return { text: new TextDecoder('utf-8').decode(text).replace(/\0+$/, ''), place };
}

async function readRing(
  device: BlockDevice,
  area: number,
  areaLength: number,
  start: number,
  length: number,
): Promise<Uint8Array> {
  const text = new Uint8Array(length);
  const first = Math.min(length, areaLength - start);
  await device.read(text.subarray(0, first), area + start);
  if (first < length) await device.read(text.subarray(first), area + headerLength);
  return text;
}
