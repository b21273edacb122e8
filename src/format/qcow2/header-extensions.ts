/*
 * Header extensions follow the header, each padded to 8 bytes:
 *
 *   byte  0–3    type; 0 ends the area
 *   byte  4–7    length of the data
 *   byte  8–     data
 *
 * Source: QEMU docs/interop/qcow2.txt, section "Header extensions".
 */

import { alignUp } from '../../bytes/align.ts';
import type { ByteReader } from '../../bytes/byte-reader.ts';
import type { ByteWriter } from '../../bytes/byte-writer.ts';
import { corruptImage } from '../image-errors.ts';

/** Types of header extensions that have a meaning here. */
export const extensionType = {
  end: 0,
  backingFormat: 0xe2792aca,
  featureNames: 0x6803f857,
  externalDataFile: 0x44415441,
  encryptionHeader: 0x0537be77,
  bitmaps: 0x23852875,
} as const;

/** One extension as it stands in the image, known or not. */
export interface HeaderExtension {
  readonly type: number;
  readonly data: Uint8Array;
}

/**
 * Reads extensions up to the end mark, or up to byte `end` of the reader; their data are copies.
 *
 * @throws VarveError `CORRUPT`
 */
export function decodeExtensions(reader: ByteReader, end: number, name: string): HeaderExtension[] {
  const extensions: HeaderExtension[] = [];
  while (reader.position < end && reader.remaining >= 8) {
    const start = reader.position;
    const type = reader.u32be();
    const length = reader.u32be();
    if (type === extensionType.end) break;
    if (length > end - reader.position) throw tooLong(start, length, end, name);
    extensions.push({ type, data: reader.bytes(length).slice() });
    reader.skip(Math.min(alignUp(length, 8) - length, reader.remaining));
  }
  return extensions;
}

function tooLong(start: number, length: number, end: number, name: string): Error {
  const extent = `its header extension at byte ${start} has ${length} bytes`;
  return corruptImage(name, `${extent}, and extensions end at byte ${end}`);
}

/** Writes extensions and the end mark. */
export function encodeExtensions(writer: ByteWriter, extensions: readonly HeaderExtension[]): void {
  for (const { type, data } of extensions) {
    writer.u32be(type);
    writer.u32be(data.length);
    writer.put(data);
    writer.skip(alignUp(data.length, 8) - data.length);
  }
  writer.u32be(extensionType.end);
  writer.u32be(0);
}

/** How many bytes `encodeExtensions` writes. */
export function extensionsLength(extensions: readonly HeaderExtension[]): number {
  return extensions.reduce((length, { data }) => length + 8 + alignUp(data.length, 8), 8);
}

/** The data of the first extension of a type. */
export function extensionData(extensions: readonly HeaderExtension[], type: number): Uint8Array | undefined {
  return extensions.find((extension) => extension.type === type)?.data;
}
