/*
 * The header of a qcow2 image, big-endian:
 *
 *   byte   0–3    magic "QFI\xfb"               48–55   refcount_table_offset
 *          4–7    version, 2 or 3               56–59   refcount_table_clusters
 *          8–15   backing_file_offset           60–63   nb_snapshots
 *         16–19   backing_file_size             64–71   snapshots_offset
 *         20–23   cluster_bits, 9–21            from version 3 on:
 *         24–31   size of the disk              72–79   incompatible_features
 *         32–35   crypt_method                  80–87   compatible_features
 *         36–39   l1_size, entries              88–95   autoclear_features
 *         40–47   l1_table_offset               96–99   refcount_order
 *                                              100–103  header_length
 *                                              104      compression_type
 *
 * then additional fields up to header_length, header extensions, and the backing file's name.
 *
 * Source: QEMU docs/interop/qcow2.txt, section "Header".
 */
import { VarveError } from '../../base/varve-error.ts';
import { alignUp } from '../../bytes/align.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';
import { decodeExtensions, encodeExtensions, extensionsLength, type HeaderExtension } from './header-extensions.ts';

/** "QFI\xfb" */
export const qcow2Magic = 0x514649fb;
/** The bytes that `decodeClusterSize` needs. */
export const preambleLength = 24;

const version2Length = 72;
const version3Length = 104;
const maximumBackingNameLength = 1023;

/** The header's fields, named as in the specification; sizes and offsets in bytes. */
export interface Qcow2Header {
  readonly version: 2 | 3;
  /** Undefined where the image has no backing file. */
  readonly backingFile: string | undefined;
  readonly clusterBits: number;
  readonly size: number;
  readonly cryptMethod: number;
  /** Entries, not bytes. */
  readonly l1Size: number;
  readonly l1TableOffset: number;
  readonly refcountTableOffset: number;
  readonly refcountTableClusters: number;
  readonly snapshotCount: number;
  readonly snapshotsOffset: number;
  readonly incompatibleFeatures: bigint;
  readonly compatibleFeatures: bigint;
  readonly autoclearFeatures: bigint;
  readonly refcountOrder: number;
  readonly compressionType: number;
  /** Bytes 105 on of a longer header, whose meaning is not known here. */
  readonly additionalFields: Uint8Array;
  readonly extensions: readonly HeaderExtension[];
}

/**
 * The cluster size in bytes that an image's first 24 bytes tell.
 *
 * @throws VarveError `CORRUPT` where they are no qcow2 header, `UNSUPPORTED` for versions before 2 and after 3
 */
export function decodeClusterSize(preamble: Uint8Array, name: string): number {
  const reader = new ByteReader(preamble, `header of ${name}`);
  if (reader.u32be() !== qcow2Magic) throw corruptImage(name, 'it does not start with the magic of qcow2');
  const version = reader.u32be();
  if (version !== 2 && version !== 3) throw unsupportedImage(name, `its qcow version is ${version}, not 2 or 3`);
  reader.skip(12);
  const clusterBits = reader.u32be();
  if (clusterBits >= 9 && clusterBits <= 21) return 2 ** clusterBits;
  throw corruptImage(name, `cluster_bits is ${clusterBits}, and may be 9 to 21`);
}

/**
 * The header in an image's first cluster (or all of a file shorter than that). Checks no more than what decoding
 * needs: `checkHeader` does the rest.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export function decodeHeader(firstCluster: Uint8Array, name: string): Qcow2Header {
  decodeClusterSize(firstCluster, name);
  const reader = new ByteReader(firstCluster, `header of ${name}`);
  reader.skip(4);
  const version = reader.u32be() === 2 ? 2 : 3;
  const backingFileOffset = reader.u64be('backing_file_offset');
  const backingFileSize = reader.u32be();
  const fixed = decodeFixedFields(reader);
  const features = version === 2 ? version2Features : decodeFeatureFields(reader, name);
  const extensionsEnd =
    backingFileOffset === 0 ? firstCluster.length : Math.min(backingFileOffset, firstCluster.length);
  const extensions = decodeExtensions(reader, extensionsEnd, name);
  const hasBackingFile = backingFileOffset !== 0 && backingFileSize !== 0;
  const backingFile = hasBackingFile ? decodeBackingFile(reader, backingFileOffset, backingFileSize, name) : undefined;
  return { version, backingFile, ...fixed, ...features, extensions };
}

function decodeFixedFields(reader: ByteReader) {
  return {
    clusterBits: reader.u32be(),
    size: reader.u64be('size'),
    cryptMethod: reader.u32be(),
    l1Size: reader.u32be(),
    l1TableOffset: reader.u64be('l1_table_offset'),
    refcountTableOffset: reader.u64be('refcount_table_offset'),
    refcountTableClusters: reader.u32be(),
    snapshotCount: reader.u32be(),
    snapshotsOffset: reader.u64be('snapshots_offset'),
  };
}

const version2Features = {
  incompatibleFeatures: 0n,
  compatibleFeatures: 0n,
  autoclearFeatures: 0n,
  refcountOrder: 4,
  compressionType: 0,
  additionalFields: new Uint8Array(),
};

/** Leaves the reader at the first header extension. */
function decodeFeatureFields(reader: ByteReader, name: string) {
  const masks = {
    incompatibleFeatures: reader.opaque64be(),
    compatibleFeatures: reader.opaque64be(),
    autoclearFeatures: reader.opaque64be(),
    refcountOrder: reader.u32be(),
  };
  const headerLength = reader.u32be();
  if (headerLength < version3Length || headerLength % 8 !== 0) {
    throw corruptImage(name, `header_length is ${headerLength}, and must be a multiple of 8 from ${version3Length} on`);
  }
  const compressionType = headerLength > version3Length ? reader.u8() : 0;
  const additionalFields = reader.bytes(headerLength - reader.position).slice();
  return { ...masks, compressionType, additionalFields };
}

function decodeBackingFile(reader: ByteReader, offset: number, length: number, name: string): string {
  if (length > maximumBackingNameLength) {
    throw corruptImage(name, `backing_file_size is ${length}, and may be at most ${maximumBackingNameLength}`);
  }
  if (offset + length > reader.position + reader.remaining) {
    throw corruptImage(name, `the backing file's name at byte ${offset} is not inside the first cluster`);
  }
  reader.seek(offset);
  return reader.utf8(length);
}

/**
 * The first cluster of an image: the header, its extensions and the backing file's name.
 *
 * @throws VarveError `INVALID` where they do not fit into one cluster
 */
export function encodeHeader(header: Qcow2Header): Uint8Array {
  const clusterSize = 2 ** header.clusterBits;
  const backingName = new TextEncoder().encode(header.backingFile ?? '');
  const backingFileOffset = headerLengthOf(header) + extensionsLength(header.extensions);
  if (backingFileOffset + backingName.length > clusterSize) {
    throw new VarveError('INVALID', `the qcow2 header takes more than a cluster of ${clusterSize} bytes`);
  }
  const writer = new ByteWriter(clusterSize);
  writer.u32be(qcow2Magic);
  writer.u32be(header.version);
  writer.u64be(header.backingFile === undefined ? 0 : backingFileOffset);
  writer.u32be(backingName.length);
  encodeFixedFields(writer, header);
  if (header.version === 3) encodeFeatureFields(writer, header);
  encodeExtensions(writer, header.extensions);
  writer.put(backingName);
  return writer.bytes;
}

/** Where `encodeChangeableFields` goes, in bytes: inside the first sector, which a disk writes as a whole. */
export const changeableFieldsOffset = 20;

/** The fields from cluster_bits to the features, which change while an image is in use, as they stand in the file. */
export function encodeChangeableFields(header: Qcow2Header): Uint8Array {
  const writer = new ByteWriter(header.version === 2 ? version2Length : version3Length);
  writer.seek(changeableFieldsOffset);
  encodeFixedFields(writer, header);
  if (header.version === 2) return writer.bytes.subarray(changeableFieldsOffset);
  encodeFeatureMasks(writer, header);
  return writer.bytes.subarray(changeableFieldsOffset, writer.position);
}

function headerLengthOf(header: Qcow2Header): number {
  return header.version === 2 ? version2Length : alignUp(version3Length + 1 + header.additionalFields.length, 8);
}

function encodeFixedFields(writer: ByteWriter, header: Qcow2Header): void {
  writer.u32be(header.clusterBits);
  writer.u64be(header.size);
  writer.u32be(header.cryptMethod);
  writer.u32be(header.l1Size);
  writer.u64be(header.l1TableOffset);
  writer.u64be(header.refcountTableOffset);
  writer.u32be(header.refcountTableClusters);
  writer.u32be(header.snapshotCount);
  writer.u64be(header.snapshotsOffset);
}

function encodeFeatureMasks(writer: ByteWriter, header: Qcow2Header): void {
  writer.opaque64be(header.incompatibleFeatures);
  writer.opaque64be(header.compatibleFeatures);
  writer.opaque64be(header.autoclearFeatures);
}

function encodeFeatureFields(writer: ByteWriter, header: Qcow2Header): void {
  encodeFeatureMasks(writer, header);
  writer.u32be(header.refcountOrder);
  const headerLength = headerLengthOf(header);
  writer.u32be(headerLength);
  writer.u8(header.compressionType);
  writer.put(header.additionalFields);
  writer.seek(headerLength);
}
