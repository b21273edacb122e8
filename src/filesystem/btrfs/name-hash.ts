import { crc32c } from '../../bytes/crc32c.ts';

/** What names are sorted by: a CRC-32C that begins with 2^32−2, and whose bits are not turned round at the end. */
export function nameHash(name: Uint8Array): number {
  return ~crc32c(name, 1) >>> 0;
}

/** What the names of an inode that have items of their own are sorted by: a CRC-32C that begins with the directory. */
export function referenceHash(directory: number, name: Uint8Array): number {
  return ~crc32c(name, ~(directory % 2 ** 32) >>> 0) >>> 0;
}
