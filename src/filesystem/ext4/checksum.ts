import { crc32c } from '../../bytes/crc32c.ts';

const number = new Uint8Array(4);
const numberView = new DataView(number.buffer);

/** The checksum of bytes and numbers in a row, begun with a file system's or inode's seed. */
export function chained(seed: number, ...parts: readonly (Uint8Array | number)[]): number {
  let sum = seed;
  for (const part of parts) {
    if (typeof part !== 'number') sum = crc32c(part, sum);
    else {
      numberView.setUint32(0, part, true);
      sum = crc32c(number, sum);
    }
  }
  return sum;
}

/** A checksum as ext4 stores it: its CRC-32C leaves out the last inversion. */
export function asStored(sum: number): number {
  return ~sum >>> 0;
}

/** The eight bytes of a block's number, as they go into the checksum of its block. */
export function blockNumberBytes(block: number): Uint8Array {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(block), true);
  return bytes;
}
