/*
 * Persistent dirty bitmaps, big-endian. The header extension 0x23852875 tells where their directory is:
 *
 *   byte   0–3    nb_bitmaps                     8–15   bitmap_directory_size, bytes
 *          4–7    reserved                      16–23   bitmap_directory_offset
 *
 * Directory entry, padded to 8 bytes:
 *
 *   byte   0–7    bitmap_table_offset           17      granularity_bits
 *          8–11   bitmap_table_size, entries    18–19   length of the name
 *         12–15   flags: 0 in use, 1 auto,      20–23   extra_data_size
 *                 2 extra data compatible       24–     extra data, then the name
 *         16      type: 1 dirty tracking
 *
 * Bitmap table entry, 8 bytes:
 *
 *   bit  0        where the offset is 0: all bits of the cluster are ones, and not zeros
 *   bit  9–55     offset of a cluster of the bitmap; its bits go from the lowest of its first byte on
 *
 * Source: QEMU docs/interop/qcow2.txt, sections "Bitmaps extension" and "Bitmaps".
 */
import { alignUp } from '../../../bytes/align.ts';
import { ByteReader } from '../../../bytes/byte-reader.ts';
import { ByteWriter } from '../../../bytes/byte-writer.ts';
import { corruptImage } from '../../image-errors.ts';
import { hostOffsetOf } from '../cluster-entry.ts';

/** Where the directory of an image's bitmaps is. */
export interface BitmapsExtension {
  readonly bitmapCount: number;
  /** In bytes. */
  readonly directorySize: number;
  readonly directoryOffset: number;
}

/** A bitmap as the directory has it. */
export interface BitmapEntry {
  readonly tableOffset: number;
  /** Entries, not bytes. */
  readonly tableSize: number;
  readonly flags: number;
  readonly type: number;
  readonly granularityBits: number;
  readonly name: string;
  /** What its maker kept with it, as it is. */
  readonly extraData: Uint8Array;
}

/** Bits of `BitmapEntry.flags`. */
export const bitmapFlag = { inUse: 1, auto: 2, extraDataCompatible: 4 } as const;

/** Whether 8 bytes, as two halves, can be an entry of a bitmap table. */
export function isBitmapTableEntry(high: number, low: number, clusterSize: number): boolean {
  if (high > 0x00ff_ffff || (low & 0x1fe) !== 0) return false;
  const offset = hostOffsetOf(high, low);
  return offset % clusterSize === 0 && (offset === 0 || (low & 1) === 0);
}

/** The one `type` that there is. */
export const dirtyTrackingType = 1;

const extensionLength = 24;
const entryLength = 24;
const maximumBitmapCount = 65535;
const maximumDirectorySize = 64 * 2 ** 20;
const maximumNameLength = 1023;

/**
 * Decodes the data of the header extension, and checks that the directory can be in a file of `fileSize` bytes.
 *
 * @throws VarveError `CORRUPT`
 */
export function decodeBitmapsExtension(
  data: Uint8Array,
  { clusterSize, fileSize, name }: { readonly clusterSize: number; readonly fileSize: number; readonly name: string },
): BitmapsExtension {
  const reader = new ByteReader(data, `bitmaps extension of ${name}`);
  const bitmapCount = reader.u32be();
  reader.skip(4);
  const directorySize = reader.u64be('bitmap_directory_size');
  const directoryOffset = reader.u64be('bitmap_directory_offset');
  if (bitmapCount === 0 || bitmapCount > maximumBitmapCount) {
    throw corruptImage(name, `nb_bitmaps is ${bitmapCount}, and may be 1 to ${maximumBitmapCount}`);
  }
  if (directorySize > maximumDirectorySize) {
    const why = `bitmap_directory_size is ${directorySize}, and may be at most ${maximumDirectorySize}`;
    throw corruptImage(name, why);
  }
  const isPlaced = directoryOffset !== 0 && directoryOffset % clusterSize === 0;
  if (!isPlaced || directoryOffset + directorySize > fileSize) {
    const place = `bitmap_directory_offset is ${directoryOffset} with ${directorySize} bytes`;
    throw corruptImage(name, `${place}, which is no place in a file of ${fileSize} bytes`);
  }
  return { bitmapCount, directorySize, directoryOffset };
}

/** The data of the header extension. */
export function encodeBitmapsExtension(extension: BitmapsExtension): Uint8Array {
  const writer = new ByteWriter(extensionLength);
  writer.u32be(extension.bitmapCount);
  writer.u32be(0);
  writer.u64be(extension.directorySize);
  writer.u64be(extension.directoryOffset);
  return writer.bytes;
}

/**
 * The `count` entries of a directory.
 *
 * @throws VarveError `CORRUPT` where it holds fewer or more
 */
export function decodeBitmapDirectory(bytes: Uint8Array, count: number, imageName: string): BitmapEntry[] {
  const reader = new ByteReader(bytes, `bitmap directory of ${imageName}`);
  const entries = Array.from({ length: count }, () => decodeEntry(reader, imageName));
  if (reader.remaining === 0) return entries;
  throw corruptImage(imageName, `its bitmap directory has ${reader.remaining} bytes after its ${count} entries`);
}

function decodeEntry(reader: ByteReader, imageName: string): BitmapEntry {
  const start = reader.position;
  const fields = {
    tableOffset: reader.u64be('bitmap_table_offset'),
    tableSize: reader.u32be(),
    flags: reader.u32be(),
    type: reader.u8(),
    granularityBits: reader.u8(),
  };
  const nameLength = reader.u16be();
  const extraLength = reader.u32be();
  if (nameLength === 0 || nameLength > maximumNameLength) {
    const why = `the name of a bitmap has ${nameLength} bytes, and may have 1 to ${maximumNameLength}`;
    throw corruptImage(imageName, why);
  }
  const extraData = reader.bytes(extraLength).slice();
  const name = reader.utf8(nameLength);
  reader.skip(alignUp(reader.position - start, 8) - (reader.position - start));
  return { ...fields, name, extraData };
}

/** The directory of `entries`. */
export function encodeBitmapDirectory(entries: readonly BitmapEntry[]): Uint8Array {
  const lengths = entries.map(({ extraData, name }) =>
    alignUp(entryLength + extraData.length + Buffer.byteLength(name), 8),
  );
  const writer = new ByteWriter(lengths.reduce((sum, length) => sum + length, 0));
  let start = 0;
  for (const [index, entry] of entries.entries()) {
    writer.seek(start);
    encodeEntry(writer, entry);
    start += lengths[index]!;
  }
  return writer.bytes;
}

function encodeEntry(writer: ByteWriter, entry: BitmapEntry): void {
  writer.u64be(entry.tableOffset);
  writer.u32be(entry.tableSize);
  writer.u32be(entry.flags);
  writer.u8(entry.type);
  writer.u8(entry.granularityBits);
  writer.u16be(Buffer.byteLength(entry.name));
  writer.u32be(entry.extraData.length);
  writer.put(entry.extraData);
  writer.utf8(entry.name);
}
