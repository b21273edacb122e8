/*
 * The header of a qcow image of version 1, big-endian:
 *
 *   byte  0–3    magic "QFI\xfb"              24–31  size of the disk
 *         4–7    version, 1                   32     cluster_bits, 9–16
 *         8–15   backing_file_offset          33     l2_bits, 6–13: entries of an L2 table
 *        16–19   backing_file_size            34–35  padding
 *        20–23   mtime of the backing file    36–39  crypt_method
 *                                             40–47  l1_table_offset
 *
 * Source: the header as QEMU documents it for version 1, "The QCOW Image Format".
 */
import type { BlockDevice } from '../../block/block-device.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';

/** "QFI\xfb", which later versions have, too. */
export const qcowMagic = 0x514649fb;

const headerLength = 48;
const maximumNameLength = 1023;

/** The header's fields that mean something to a reader; sizes and offsets in bytes. */
export interface Qcow1Header {
  readonly size: number;
  readonly clusterSize: number;
  /** Entries of an L2 table. */
  readonly l2Entries: number;
  /** Entries of the L1 table. */
  readonly l1Entries: number;
  readonly l1TableOffset: number;
  readonly backingFile: string | undefined;
}

/**
 * The header of an image, checked.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for other versions and encrypted images
 */
export async function readQcow1Header(file: BlockDevice, name: string): Promise<Qcow1Header> {
  const head = new Uint8Array(Math.min(headerLength, file.size));
  if (head.length > 0) await file.read(head, 0);
  const reader = new ByteReader(head, `header of ${name}`);
  if (reader.u32be() !== qcowMagic) throw corruptImage(name, 'it does not start with the magic of qcow');
  const version = reader.u32be();
  if (version !== 1) throw unsupportedImage(name, `its qcow version is ${version}, not 1`);
  const [backingOffset, backingLength] = [reader.u64be('backing_file_offset'), reader.u32be()];
  reader.skip(4);
  const size = reader.u64be('size');
  const { clusterSize, l2Entries } = decodeShape(reader, name);
  const l1TableOffset = reader.u64be('l1_table_offset');
  const l1Entries = Math.ceil(size / (clusterSize * l2Entries));
  if (l1TableOffset + l1Entries * 8 > file.size) {
    throw corruptImage(name, `the L1 table at byte ${l1TableOffset} lies past the end of the file, at ${file.size}`);
  }
  const backingFile = backingOffset === 0 ? undefined : await readName(file, backingOffset, backingLength, name);
  return { size, clusterSize, l2Entries, l1Entries, l1TableOffset, backingFile };
}

function decodeShape(reader: ByteReader, name: string) {
  const [clusterBits, l2Bits] = [reader.u8(), reader.u8()];
  reader.skip(2);
  if (clusterBits < 9 || clusterBits > 16)
    throw corruptImage(name, `cluster_bits is ${clusterBits}, and may be 9 to 16`);
  if (l2Bits < 6 || l2Bits > 13) throw corruptImage(name, `l2_bits is ${l2Bits}, and may be 6 to 13`);
  const cryptMethod = reader.u32be();
  if (cryptMethod === 1) throw unsupportedImage(name, 'it is encrypted (AES), which is not read in qcow of version 1');
  if (cryptMethod !== 0) throw corruptImage(name, `crypt_method is ${cryptMethod}, and may be 0 or 1`);
  return { clusterSize: 2 ** clusterBits, l2Entries: 2 ** l2Bits };
}

async function readName(file: BlockDevice, offset: number, length: number, name: string): Promise<string> {
  if (length > maximumNameLength) {
    throw corruptImage(name, `backing_file_size is ${length}, and may be at most ${maximumNameLength}`);
  }
  if (offset + length > file.size)
    throw corruptImage(name, `the backing file's name at byte ${offset} is past the end`);
  const bytes = new Uint8Array(length);
  if (length > 0) await file.read(bytes, offset);
  return new ByteReader(bytes, `backing file name of ${name}`).utf8(length);
}
