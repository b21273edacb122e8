import { crc32c } from '../../bytes/crc32c.ts';

/** Where a structure's checksum is, behind its signature of four bytes. */
const place = 4;
const none = new Uint8Array(4);

/** The CRC-32C of a structure, with its checksum as zeros. Source: MS-VHDX, section 2.2.2. */
function checksumOf(bytes: Uint8Array): number {
  return crc32c(bytes.subarray(place + 4), crc32c(none, crc32c(bytes.subarray(0, place))));
}

/** Whether a structure's checksum is right. */
export function hasChecksum(bytes: Uint8Array): boolean {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(place, true) === checksumOf(bytes);
}

/** Puts the checksum into a structure that is complete otherwise, and gives it back. */
export function putChecksum(bytes: Uint8Array): Uint8Array {
  new DataView(bytes.buffer, bytes.byteOffset).setUint32(place, checksumOf(bytes), true);
  return bytes;
}
