import { pattern } from '../../src/conformance/device-content.ts';
import { chunkSize } from '../../src/store/chunk.ts';

/** A chunk of zeros for 0, else one of its own: every fourth kind does not shrink, the others are mostly zeros. */
function chunkOf(kind: number): Uint8Array {
  if (kind === 0) return new Uint8Array(chunkSize);
  if (kind % 4 === 0) return pattern(chunkSize, kind);
  const chunk = new Uint8Array(chunkSize);
  chunk.set(pattern((kind % 90) * 10, kind), (kind * 7919) % (chunkSize - 1000));
  return chunk;
}

/** A disk of these chunks, and `tailLength` more bytes. */
export function diskOf(kinds: readonly number[], tailLength = 0): Uint8Array {
  return Buffer.concat([...kinds.map(chunkOf), pattern(tailLength, tailLength)]);
}

/** A disk of `count` chunks, all different, none of which shrinks. */
export function noiseDisk(count: number, seed = 1): Uint8Array {
  return diskOf(Array.from({ length: count }, (_, index) => (seed * 1000 + index) * 4));
}
