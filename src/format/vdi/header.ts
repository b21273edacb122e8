/*
 * The header of a VDI image of version 1.1, little-endian:
 *
 *   byte    0–63   text, for people                360–363  sector_size
 *          64–67   signature 0xbeda107f            364–367  unused
 *          68–71   version, 0x00010001             368–375  disk_size, bytes
 *          72–75   header_size, from byte 72 on    376–379  block_size
 *          76–79   image_type                      380–383  block_extra, before each block
 *          80–83   image_flags                     384–387  blocks_in_image, entries of the map
 *          84–339  description                     388–391  blocks_allocated
 *         340–343  offset_bmap                     392–407  uuid_image
 *         344–347  offset_data                     408–423  uuid_last_snap
 *         348–351  cylinders                       424–439  uuid_link
 *         352–355  heads                           440–455  uuid_parent
 *         356–359  sectors                         456–511  another geometry, and unused
 *
 * Source: the layout that VirtualBox and QEMU document for VDI 1.1 ("VDI HDD header structure").
 */
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { decodeGuid, encodeGuid, type Guid } from '../../bytes/guid.ts';
import { corruptImage, unsupportedImage } from '../image-errors.ts';

/** Where the signature is, in bytes from the start. */
export const signatureOffset = 64;
export const vdiSignature = 0xbeda107f;
/** In bytes; version 1.1 is shorter, and what follows is zero. */
export const vdiHeaderLength = 512;

const version11 = 0x0001_0001;
/** What VirtualBox writes for 1.1, with the second geometry. */
const headerSize = 400;
const minimumHeaderSize = 384;
const text = '<<< Oracle VM VirtualBox Disk Image >>>\n';
const sectorSize = 512;

/** Values of `image_type`. */
export const vdiImageType = { dynamic: 1, static: 2, undo: 3, differencing: 4 } as const;

/** The header's fields that mean something to a reader; sizes and offsets in bytes. */
export interface VdiHeader {
  readonly imageType: number;
  readonly description: string;
  readonly bmapOffset: number;
  readonly dataOffset: number;
  readonly diskSize: number;
  readonly blockSize: number;
  readonly blockExtra: number;
  readonly blocksInImage: number;
  readonly blocksAllocated: number;
  readonly imageUuid: Guid;
  readonly linkUuid: Guid;
  readonly parentUuid: Guid;
}

/**
 * The header at the start of a file; `checkVdiHeader` does the rest of the checks.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for other versions
 */
export function decodeVdiHeader(head: Uint8Array, name: string): VdiHeader {
  const reader = new ByteReader(head, `header of ${name}`);
  reader.skip(signatureOffset);
  if (reader.u32le() !== vdiSignature) throw corruptImage(name, 'it does not have the signature of VDI');
  const version = reader.u32le();
  if (version !== version11) {
    const found = `${version >>> 16}.${version & 0xffff}`;
    throw unsupportedImage(name, `its VDI version is ${found}, and only 1.1 is known here`);
  }
  const length = reader.u32le();
  if (length < minimumHeaderSize)
    throw corruptImage(name, `header_size is ${length}, and must be ${minimumHeaderSize}`);
  const imageType = reader.u32le();
  reader.skip(4);
  const description = decodeText(reader.bytes(256));
  return { imageType, description, ...decodePlaces(reader), ...decodeUuids(reader) };
}

function decodePlaces(reader: ByteReader) {
  const bmapOffset = reader.u32le();
  const dataOffset = reader.u32le();
  reader.skip(20);
  return {
    bmapOffset,
    dataOffset,
    diskSize: reader.u64le('disk size'),
    blockSize: reader.u32le(),
    blockExtra: reader.u32le(),
    blocksInImage: reader.u32le(),
    blocksAllocated: reader.u32le(),
  };
}

function decodeUuids(reader: ByteReader) {
  const imageUuid = decodeGuid(reader.bytes(16));
  reader.skip(16);
  return { imageUuid, linkUuid: decodeGuid(reader.bytes(16)), parentUuid: decodeGuid(reader.bytes(16)) };
}

function decodeText(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end === -1 ? bytes : bytes.subarray(0, end));
}

/** The first 512 bytes of an image, without snapshots or a parent. */
export function encodeVdiHeader(header: VdiHeader): Uint8Array {
  const writer = new ByteWriter(vdiHeaderLength);
  writer.utf8(text);
  writer.seek(signatureOffset);
  writer.u32le(vdiSignature);
  writer.u32le(version11);
  writer.u32le(headerSize);
  writer.u32le(header.imageType);
  writer.skip(4 + 256);
  writer.u32le(header.bmapOffset);
  writer.u32le(header.dataOffset);
  // The older geometry is left out, as VirtualBox does: it is for disks below 528 MB.
  writer.skip(12);
  writer.u32le(sectorSize);
  writer.skip(4);
  writer.u64le(header.diskSize);
  writer.u32le(header.blockSize);
  writer.u32le(header.blockExtra);
  writer.u32le(header.blocksInImage);
  writer.u32le(header.blocksAllocated);
  writer.put(encodeGuid(header.imageUuid));
  writer.skip(16);
  writer.put(encodeGuid(header.linkUuid));
  writer.put(encodeGuid(header.parentUuid));
  return writer.bytes;
}
