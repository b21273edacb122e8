import { VarveError } from '../../base/varve-error.ts';
import { ByteReader } from '../../bytes/byte-reader.ts';
import { ByteWriter } from '../../bytes/byte-writer.ts';
import { zlib } from '../../bytes/zlib.ts';
import { blocksPerPage, statePageLength } from '../../filter/block-states.ts';

// The map of an overlay (docs/formats/store.md, "Overlays"): a header of 4096 bytes, and then the states of the
// blocks, two bits each, in pages of 4096 bytes for 16384 blocks. Integers are little-endian:
//
//   0 magic "varvovl1" | 8 version u32 | 12 block_size u32 | 16 size u64 | 24 id 16 | 40 zeros 20 | 60 crc32 u32
//   64 zeros

/** The granularity of overlays, in bytes. */
export const overlayBlockSize = 4096;
/** The bytes of the header; the first page follows. */
export const mapHeaderLength = 4096;
const magic = 'varvovl1';
const version = 1;
const checkedLength = 60;

/** What an overlay's map says of the overlay. */
export interface MapHeader {
  /** 32 hexadecimal digits. */
  readonly id: string;
  /** The size of the disk in bytes. */
  readonly size: number;
}

/** The bytes of the map of an overlay of `size` bytes. */
export function mapLength(size: number): number {
  return mapHeaderLength + statePageLength * Math.ceil(size / (overlayBlockSize * blocksPerPage));
}

export function encodeMapHeader({ id, size }: MapHeader): Uint8Array {
  const writer = new ByteWriter(mapHeaderLength);
  writer.utf8(magic);
  writer.u32le(version);
  writer.u32le(overlayBlockSize);
  writer.u64le(size);
  writer.put(Buffer.from(id, 'hex'));
  const { bytes } = writer;
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(
    checkedLength,
    zlib().crc32(bytes.subarray(0, checkedLength)),
    true,
  );
  return bytes;
}

/** @throws CORRUPT, or UNSUPPORTED for another version or granularity */
export function decodeMapHeader(bytes: Uint8Array, what: string): MapHeader {
  const reader = new ByteReader(bytes, what);
  const isMap = Buffer.from(reader.bytes(8)).toString('latin1') === magic;
  if (!isMap) throw new VarveError('CORRUPT', `${what}: is no map of an overlay`);
  const recordedVersion = reader.u32le();
  const blockSize = reader.u32le();
  const size = reader.u64le();
  const id = Buffer.from(reader.bytes(16)).toString('hex');
  const sum = new DataView(bytes.buffer, bytes.byteOffset).getUint32(checkedLength, true);
  if (sum !== zlib().crc32(bytes.subarray(0, checkedLength)))
    throw new VarveError('CORRUPT', `${what}: its header is damaged`);
  if (recordedVersion !== version || blockSize !== overlayBlockSize) {
    const found = `version ${recordedVersion} in blocks of ${blockSize} bytes`;
    throw new VarveError('UNSUPPORTED', `${what}: an overlay of ${found} needs a newer Varve`);
  }
  return { id, size };
}
