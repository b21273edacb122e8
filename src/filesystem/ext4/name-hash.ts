/*
 * The hashes by which directories with an index order their names. A name is cut into words of 32 bits, each of four
 * characters, the first of them the highest, which count as signed or not; what is missing at the end is filled up with the
 * rest's length, in each byte. The hash is what two or four words, the file system's seed, become with each piece of the name.
 *
 *   0  legacy     one multiplication a character
 *   1  half MD4   MD4's three rounds with eight words each, and eight steps a round
 *   2  TEA        16 cycles of the Tiny Encryption Algorithm, four words a piece
 *
 * The lowest bit is not the hash's: an index marks by it that names of one hash go on in the next block.
 *
 * Source: Linux, Documentation/filesystems/ext4/directory.rst, "Hash Tree Directories" (which hashes); RFC 1320 (MD4's
 * functions and constants); Wheeler and Needham, "TEA, a Tiny Encryption Algorithm".
 */

/** What a file system's hashes depend on. */
export interface HashOptions {
  /** Four words. */
  readonly seed: readonly number[];
  /** Whether characters count as signed. */
  readonly isSigned: boolean;
}

const defaultSeed = [0x6745_2301, 0xefcd_ab89, 0x98ba_dcfe, 0x1032_5476];

/** Where an index ends; no name has that hash. */
const endHash = 0xffff_fffe;

/** The hash of a name by way `version`; undefined for a way that is not known here. */
export function nameHash(name: Uint8Array, version: number, options: HashOptions): number | undefined {
  const hash = [legacyHash, halfMd4Hash, teaHash][version]?.(name, options);
  if (hash === undefined) return undefined;
  const even = (hash & ~1) >>> 0;
  return even === endHash ? endHash - 2 : even;
}

function legacyHash(name: Uint8Array, { isSigned }: HashOptions): number {
  let [before, now] = [0x37ab_e8f9, 0x12a3_fe2d];
  for (const byte of name) {
    let next = (before + (now ^ Math.imul(character(byte, isSigned), 7_152_373))) >>> 0;
    if (next >= 0x8000_0000) next -= 0x7fff_ffff;
    [before, now] = [now, next];
  }
  return (now << 1) >>> 0;
}

function halfMd4Hash(name: Uint8Array, { isSigned, seed }: HashOptions): number {
  const state = Int32Array.from(startOf(seed));
  for (let start = 0; start < name.length; start += 32) halfMd4(state, words(name.subarray(start), 8, isSigned));
  return state[1]!;
}

function teaHash(name: Uint8Array, { isSigned, seed }: HashOptions): number {
  const state = Int32Array.from(startOf(seed));
  for (let start = 0; start < name.length; start += 16) tea(state, words(name.subarray(start), 4, isSigned));
  return state[0]!;
}

function startOf(seed: readonly number[]): readonly number[] {
  return seed.every((word) => word === 0) ? defaultSeed : seed;
}

function character(byte: number, isSigned: boolean): number {
  return isSigned ? (byte << 24) >> 24 : byte;
}

/** The first `count` words of what is left of a name. */
function words(rest: Uint8Array, count: number, isSigned: boolean): Int32Array {
  const padding = Math.imul(rest.length & 0xff, 0x0101_0101) + (rest.length >> 8) * 0x0101_0100;
  const made = new Int32Array(count).fill(padding);
  const length = Math.min(rest.length, count * 4);
  for (let start = 0; start < length; start += 4) {
    let word = padding;
    for (let at = start; at < Math.min(start + 4, length); at++) word = (word << 8) + character(rest[at]!, isSigned);
    made[start / 4] = word;
  }
  return made;
}

type Mix = (x: number, y: number, z: number) => number;

/** MD4's functions and constants; of each round the order of the words and by how much is rotated. Source: RFC 1320, section 3.4. */
const rounds: readonly (readonly [mix: Mix, constant: number, order: readonly number[], turns: readonly number[]])[] = [
  [(x, y, z) => z ^ (x & (y ^ z)), 0, [0, 1, 2, 3, 4, 5, 6, 7], [3, 7, 11, 19]],
  [(x, y, z) => (x & y) + ((x ^ y) & z), 0x5a82_7999, [1, 3, 5, 7, 0, 2, 4, 6], [3, 5, 9, 13]],
  [(x, y, z) => x ^ y ^ z, 0x6ed9_eba1, [3, 7, 2, 6, 1, 5, 0, 4], [3, 9, 11, 15]],
];

function halfMd4(state: Int32Array, input: Int32Array): void {
  let [a, b, c, d] = state as unknown as [number, number, number, number];
  for (const [mix, constant, order, turns] of rounds) {
    for (let step = 0; step < 8; step++) {
      const sum = (a + mix(b, c, d) + input[order[step]!]! + constant) | 0;
      const turn = turns[step % 4]!;
      [a, b, c, d] = [d, (sum << turn) | (sum >>> (32 - turn)), b, c];
    }
  }
  state[0]! += a;
  state[1]! += b;
  state[2]! += c;
  state[3]! += d;
}

function tea(state: Int32Array, [k0, k1, k2, k3]: Int32Array): void {
  let [x, y] = state as unknown as [number, number];
  let sum = 0;
  for (let cycle = 0; cycle < 16; cycle++) {
    sum = (sum + 0x9e37_79b9) | 0;
    x = (x + (((y << 4) + k0!) ^ (y + sum) ^ ((y >>> 5) + k1!))) | 0;
    y = (y + (((x << 4) + k2!) ^ (x + sum) ^ ((x >>> 5) + k3!))) | 0;
  }
  state[0]! += x;
  state[1]! += y;
}
