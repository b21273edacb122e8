import { blake3 } from '@napi-rs/blake-hash';

// Apart from chunk.ts so that what hashes nothing does not load it.

/** The BLAKE3-256 of `bytes`, 32 bytes. */
export function nameOf(bytes: Uint8Array): Uint8Array {
  return blake3(bytes);
}
