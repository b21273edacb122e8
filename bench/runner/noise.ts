import { seededRandom } from '../../src/filter/seeded-random.ts';

/** `length` bytes, a multiple of 4, that no codec makes smaller; the same for the same `seed`. */
export function noise(seed: number, length: number): Uint8Array {
  const random = seededRandom(seed);
  const words = Uint32Array.from({ length: length / 4 }, () => random() * 2 ** 32);
  return new Uint8Array(words.buffer);
}
