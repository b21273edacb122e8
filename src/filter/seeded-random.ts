/**
 * Random numbers from 0 up to but not including 1, the same for the same `seed` (32 bits): faults, delays and crashes
 * that can be had again. Source: mulberry32 by Tommy Ettinger, public domain.
 */
export function seededRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b_79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A random whole number from 0 up to but not including `end`. */
export function randomBelow(random: () => number, end: number): number {
  return Math.floor(random() * end);
}
