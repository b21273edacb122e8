import { loadBlake } from '../bytes/load-blake.ts';

// Apart from chunk.ts so that what hashes nothing does not load it.
let blake3: ReturnType<typeof loadBlake>['blake3'] | undefined;

/** The BLAKE3-256 of `bytes`, 32 bytes. */
export function nameOf(bytes: Uint8Array): Uint8Array {
  blake3 ??= loadBlake().blake3;
  return blake3(bytes);
}
