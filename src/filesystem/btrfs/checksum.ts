/*
 * Metadata and data have checksums of one kind (csum_type): 0 CRC-32C, 1 XXH64, 2 SHA-256, 3 BLAKE2b with a digest of 256
 * bits. Metadata has room for 32 bytes, of which the rest is unused.
 *
 * Source: btrfs.readthedocs.io, "Checksumming".
 */
import { crc32c } from '../../bytes/crc32c.ts';
import { blake2b, sha256 } from './digests.ts';
import { xxhash64 } from './xxhash64.ts';

/** One kind of checksum. */
export interface ChecksumKind {
  readonly name: string;
  /** In bytes. */
  readonly length: number;
  /** Whether the checksum that begins at byte `place` of `stored` is that of `bytes`. */
  fits(bytes: Uint8Array, stored: Uint8Array, place: number): boolean;
}

/** By their numbers in the superblock. */
export const checksumKinds: readonly ChecksumKind[] = [
  {
    ...{ name: 'crc32c', length: 4 },
    fits(bytes, stored, place) {
      const sum = crc32c(bytes);
      const low = stored[place]! | (stored[place + 1]! << 8) | (stored[place + 2]! << 16) | (stored[place + 3]! << 24);
      return sum === low >>> 0;
    },
  },
  ofDigest('xxhash64', 8, xxhash64),
  ofDigest('sha256', 32, sha256),
  ofDigest('blake2b', 32, blake2b),
];

function ofDigest(name: string, length: number, digest: (bytes: Uint8Array) => Uint8Array): ChecksumKind {
  const fits = (bytes: Uint8Array, stored: Uint8Array, place: number) => {
    const sum = digest(bytes);
    for (let index = 0; index < length; index++) if (sum[index] !== stored[place + index]) return false;
    return true;
  };
  return { name, length, fits };
}
