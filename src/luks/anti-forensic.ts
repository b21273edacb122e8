/*
 * The anti-forensic splitter: a key becomes `stripes` times as many bytes, all of which are needed to get it back.
 *
 * Source: LUKS On-Disk Format Specification, version 1.2.3, section 2.4 "Anti-forensic information splitting".
 */
import { createHash } from 'node:crypto';

/** The key that `stripes` stripes of `keyBytes` bytes each were made of; `hash` is a name of `node:crypto`. */
export function mergeStripes(material: Uint8Array, keyBytes: number, stripes: number, hash: string): Uint8Array {
  let sum: Uint8Array = new Uint8Array(keyBytes);
  const digestLength = createHash(hash).digest().length;
  for (let stripe = 0; stripe < stripes - 1; stripe += 1) {
    xorInto(sum, material, stripe * keyBytes);
    sum = diffuse(sum, hash, digestLength);
  }
  xorInto(sum, material, (stripes - 1) * keyBytes);
  return sum;
}

/** Stripes that `mergeStripes` makes `key` of; all but the last are of `random`, `stripes − 1` times the key's length. */
export function splitKey(key: Uint8Array, stripes: number, hash: string, random: Uint8Array): Uint8Array {
  const material = new Uint8Array(key.length * stripes);
  material.set(random);
  // With zeros for the last stripe, what comes out is what it has to be to give the key.
  const last = mergeStripes(material, key.length, stripes, hash);
  xorInto(last, key, 0);
  material.set(last, random.length);
  return material;
}

function xorInto(sum: Uint8Array, bytes: Uint8Array, offset: number): void {
  for (let index = 0; index < sum.length; index += 1) sum[index]! ^= bytes[offset + index]!;
}

/** Hashes pieces as long as a digest, each with its number before it; the last digest is cut to its piece. */
function diffuse(bytes: Uint8Array, hash: string, digestLength: number): Uint8Array {
  const result = new Uint8Array(bytes.length);
  const number = new DataView(new ArrayBuffer(4));
  for (let offset = 0, index = 0; offset < bytes.length; offset += digestLength, index += 1) {
    number.setUint32(0, index);
    const piece = bytes.subarray(offset, offset + digestLength);
    const digest = createHash(hash).update(new Uint8Array(number.buffer)).update(piece).digest();
    result.set(digest.subarray(0, piece.length), offset);
  }
  return result;
}
