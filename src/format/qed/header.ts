/*
 * The header of a QED image, little-endian:
 *
 *   byte   0–3    magic "QED\0"                 32–39  autoclear_features
 *          4–7    cluster_size, bytes            40–47  l1_table_offset
 *          8–11   table_size, clusters           48–55  image_size, bytes of the disk
 *         12–15   header_size, clusters          where there is a backing file:
 *         16–23   features                       56–59  backing_filename_offset
 *         24–31   compat_features                60–63  backing_filename_size
 *
 * Source: QEMU docs/interop/qed_spec.txt, section "Header".
 */
import type { BlockDevice } from '../../block/block-device.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import type { BackingReference } from '../image-format.ts';

/** "QED\0" as a little-endian number. */
export const qedMagic = 0x0044_4551;

const headerLength = 64;
const maximumNameLength = 1023;
const sectorSize = 512;

/** Bits of `features`; a reader that does not know one of them must not read on. */
const qedFeature = { backingFile: 0x01n, needCheck: 0x02n, backingFormatNoProbe: 0x04n } as const;

/** The header's fields that mean something to a reader; sizes and offsets in bytes. */
export interface QedHeader {
  readonly clusterSize: number;
  /** Of the L1 table and of each L2 table. */
  readonly tableLength: number;
  readonly headerSize: number;
  readonly l1TableOffset: number;
  readonly imageSize: number;
  /** Whoever wrote last did not finish, so there may be leaks; content is whole all the same. */
  readonly needCheck: boolean;
  readonly backing: BackingReference | undefined;
}

/**
 * The header of an image, checked.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for features that are not known here
 */
export async function readQedHeader(file: BlockDevice, name: string): Promise<QedHeader> {
  const head = new Uint8Array(Math.min(headerLength, file.size));
  if (head.length > 0) await file.read(head, 0);
  const reader = new ByteReader(head, `header of ${name}`);
  if (reader.u32le() !== qedMagic) throw corruptImage(name, 'it does not start with the magic of QED');
  const sizes = decodeSizes(reader, name);
  const features = reader.opaque64le();
  refuseUnknown(features, name);
  reader.skip(16);
  const header = { ...sizes, l1TableOffset: reader.u64le('l1_table_offset'), imageSize: reader.u64le('image_size') };
  checkPlaces(header, file.size, name);
  const backing = await readBacking(file, reader, features, header.headerSize, name);
  return { ...header, needCheck: (features & qedFeature.needCheck) !== 0n, backing };
}

const featuresOffset = 16;

/** Says in an image that its tables are in order. */
export async function clearNeedCheck(file: BlockDevice): Promise<void> {
  const features = new DataView(new ArrayBuffer(8));
  const bytes = new Uint8Array(features.buffer);
  await file.read(bytes, featuresOffset);
  const old = features.getBigUint64(0, true);
  if ((old & qedFeature.needCheck) === 0n) return;
  features.setBigUint64(0, old & ~qedFeature.needCheck, true);
  await file.flush();
  await file.write(bytes, featuresOffset);
}

function decodeSizes(reader: ByteReader, name: string) {
  const clusterSize = reader.u32le();
  if (!isPowerOfTwo(clusterSize, 2 ** 12, 2 ** 26)) {
    throw corruptImage(name, `cluster_size is ${clusterSize}, and must be a power of two from 4 KiB to 64 MiB`);
  }
  const tableSize = reader.u32le();
  if (!isPowerOfTwo(tableSize, 1, 16))
    throw corruptImage(name, `table_size is ${tableSize}, and may be 1, 2, 4, 8, 16`);
  const headerSize = reader.u32le() * clusterSize;
  if (headerSize === 0) throw corruptImage(name, 'header_size is 0, and must be a cluster at least');
  return { clusterSize, tableLength: tableSize * clusterSize, headerSize };
}

function isPowerOfTwo(value: number, minimum: number, maximum: number): boolean {
  return value >= minimum && value <= maximum && Number.isInteger(Math.log2(value));
}

function refuseUnknown(features: bigint, name: string): void {
  const unknown = features & ~(qedFeature.backingFile | qedFeature.needCheck | qedFeature.backingFormatNoProbe);
  if (unknown !== 0n)
    throw unsupportedImage(name, `it uses features that are not known here: 0x${unknown.toString(16)}`);
}

function checkPlaces(header: Omit<QedHeader, 'needCheck' | 'backing'>, fileSize: number, name: string): void {
  const { clusterSize, headerSize, imageSize, l1TableOffset, tableLength } = header;
  if (l1TableOffset % clusterSize !== 0 || l1TableOffset < headerSize) {
    throw corruptImage(name, `l1_table_offset is ${l1TableOffset}, and must be a cluster behind the header`);
  }
  if (l1TableOffset + tableLength > fileSize) {
    throw corruptImage(name, `the L1 table at byte ${l1TableOffset} lies past the end of the file, at ${fileSize}`);
  }
  const room = (tableLength / 8) ** 2 * clusterSize;
  if (imageSize > room) throw corruptImage(name, `image_size is ${imageSize}, and the tables only reach to ${room}`);
  if (imageSize % sectorSize !== 0) throw corruptImage(name, `image_size is ${imageSize}, which is no whole sectors`);
}

async function readBacking(
  file: BlockDevice,
  reader: ByteReader,
  features: bigint,
  headerSize: number,
  name: string,
): Promise<BackingReference | undefined> {
  if ((features & qedFeature.backingFile) === 0n) return undefined;
  const offset = reader.u32le();
  const length = reader.u32le();
  if (length > maximumNameLength) {
    throw corruptImage(name, `backing_filename_size is ${length}, and may be at most ${maximumNameLength}`);
  }
  if (offset + length > Math.min(headerSize, file.size)) {
    throw corruptImage(name, `the backing file's name at byte ${offset} is not inside the header`);
  }
  const bytes = new Uint8Array(length);
  if (length > 0) await file.read(bytes, offset);
  const format = (features & qedFeature.backingFormatNoProbe) === 0n ? undefined : 'raw';
  return { name: new ByteReader(bytes, `backing file name of ${name}`).utf8(length), format };
}
