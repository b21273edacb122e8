import { blake2b as blake2bOf } from '@noble/hashes/blake2.js';
import { sha256 as sha256Of } from '@noble/hashes/sha2.js';

/** In the place of what `filesystem/btrfs/digests.ts` has from Node: a browser's own digests answer late. */
export function sha256(bytes: Uint8Array): Uint8Array {
  return sha256Of(bytes);
}

/** With a digest of 32 bytes. */
export function blake2b(bytes: Uint8Array): Uint8Array {
  return blake2bOf(bytes, { dkLen: 32 });
}
