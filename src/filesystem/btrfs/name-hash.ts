import { crc32c } from '../../bytes/crc32c.ts';

/** What names are sorted by: a CRC-32C that begins with 2^32−2, and whose bits are not turned round at the end. */
export function nameHash(name: Uint8Array): number {
  return ~crc32c(name, 1) >>> 0;
}
