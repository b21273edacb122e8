import { Blake3Hasher } from '@napi-rs/blake-hash';

// Apart from chunk.ts so that what hashes nothing does not load it.

/** The BLAKE3-256 of `bytes`, 32 bytes. */
export function nameOf(bytes: Uint8Array): Uint8Array {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return new Blake3Hasher().update(view).digestBuffer();
}
