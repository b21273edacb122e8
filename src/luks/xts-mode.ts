/*
 * XTS: each block is xored with a tweak before and after the block cipher. A sector's first tweak is its initialisation vector
 * under the second half of the key; each further one is the one before, times x in GF(2^128).
 *
 * Source: IEEE 1619-2018, section 5.
 */
import { type BlockCipher, type BlockCipherName, blockCipher } from './block-cipher.ts';
import type { SectorCipher } from './sector-cipher.ts';
import type { SectorIvs } from './sector-ivs.ts';
import { sectorUnit } from './sector-unit.ts';

const wordsInBlock = 4;
/** x^128 = x^7 + x^2 + x + 1 */
const reduction = 0x87;

/** A block cipher in XTS mode. */
export class XtsMode implements SectorCipher {
  readonly #cipher: BlockCipher;
  readonly #tweakCipher: BlockCipher;
  readonly #ivs: SectorIvs;
  readonly #sectorLength: number;

  /** `key` is two keys in one; `sectorLength` is in bytes. */
  constructor(cipher: BlockCipherName, key: Uint8Array, ivs: SectorIvs, sectorLength: number) {
    this.#cipher = blockCipher(cipher, key.subarray(0, key.length / 2));
    this.#tweakCipher = blockCipher(cipher, key.subarray(key.length / 2));
    this.#ivs = ivs;
    this.#sectorLength = sectorLength;
  }

  encrypt(bytes: Uint8Array, firstSector: number): void {
    this.#transform(bytes, firstSector, this.#cipher.encrypt);
  }

  decrypt(bytes: Uint8Array, firstSector: number): void {
    this.#transform(bytes, firstSector, this.#cipher.decrypt);
  }

  /** All sectors at once: the cipher is quick, and calling it is not. */
  #transform(bytes: Uint8Array, firstSector: number, transform: (bytes: Uint8Array) => Uint8Array): void {
    const tweaks = this.#tweaks(firstSector, bytes.length / this.#sectorLength);
    const result = xored(transform(bytesOf(xored(bytes, tweaks))), tweaks);
    bytes.set(bytesOf(result));
  }

  /** A tweak for every block of `count` sectors. */
  #tweaks(firstSector: number, count: number): Uint32Array {
    const wordsInSector = this.#sectorLength / 4;
    const tweaks = new Uint32Array(count * wordsInSector);
    const firsts = wordsOf(this.#tweakCipher.encrypt(this.#ivs(firstSector, count, this.#sectorLength / sectorUnit)));
    for (let sector = 0; sector < count; sector += 1) {
      let first = sector * wordsInSector;
      tweaks.set(firsts.subarray(sector * wordsInBlock, (sector + 1) * wordsInBlock), first);
      for (const end = first + wordsInSector - wordsInBlock; first < end; first += wordsInBlock) {
        doubleBlock(tweaks, first);
      }
    }
    return tweaks;
  }
}

/** Writes the tweak that follows the one at word `at` behind it. Hot: called for every block. */
function doubleBlock(words: Uint32Array, at: number): void {
  const [word0, word1, word2, word3] = [words[at]!, words[at + 1]!, words[at + 2]!, words[at + 3]!];
  words[at + 4] = (word0 << 1) ^ (word3 >>> 31 === 1 ? reduction : 0);
  words[at + 5] = (word1 << 1) | (word0 >>> 31);
  words[at + 6] = (word2 << 1) | (word1 >>> 31);
  words[at + 7] = (word3 << 1) | (word2 >>> 31);
}

function xored(bytes: Uint8Array, words: Uint32Array): Uint32Array {
  const result = wordsOf(bytes);
  for (let index = 0; index < result.length; index += 1) result[index]! ^= words[index]!;
  return result;
}

/** A copy of bytes as words in the machine's order, little-endian on all of Node's platforms. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  const words = new Uint32Array(bytes.length / 4);
  bytesOf(words).set(bytes);
  return words;
}

function bytesOf(words: Uint32Array): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, words.byteLength);
}
