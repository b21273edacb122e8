import { createCipheriv } from 'node:crypto';
import { type BlockCipher, blockCipher } from './block-cipher.ts';
import type { SectorCipher } from './sector-cipher.ts';
import { blockLength, type SectorIvs } from './sector-ivs.ts';

const sectorLength = 512;

/** AES in CBC mode, each sector by itself. Source: NIST SP 800-38A, section 6.2. */
export class AesCbc implements SectorCipher {
  readonly #key: Uint8Array;
  readonly #cipher: BlockCipher;
  readonly #ivs: SectorIvs;

  constructor(key: Uint8Array, ivs: SectorIvs) {
    this.#key = key;
    this.#cipher = blockCipher(key);
    this.#ivs = ivs;
  }

  encrypt(bytes: Uint8Array, firstSector: number): void {
    const count = bytes.length / sectorLength;
    const ivs = this.#ivs(firstSector, count);
    for (let sector = 0; sector < count; sector += 1) {
      const iv = ivs.subarray(sector * blockLength, (sector + 1) * blockLength);
      const cipher = createCipheriv(`aes-${this.#key.length * 8}-cbc`, this.#key, iv).setAutoPadding(false);
      const start = sector * sectorLength;
      bytes.set(cipher.update(bytes.subarray(start, start + sectorLength)), start);
    }
  }

  /** All sectors at once: what a block is xored with afterwards is known beforehand. */
  decrypt(bytes: Uint8Array, firstSector: number): void {
    const count = bytes.length / sectorLength;
    const ivs = this.#ivs(firstSector, count);
    const plain = this.#cipher.decrypt(bytes);
    // From the end on, so that what went before is still there.
    for (let start = bytes.length - blockLength; start >= 0; start -= blockLength) {
      const isFirst = start % sectorLength === 0;
      const [before, from] = isFirst ? [ivs, (start / sectorLength) * blockLength] : [bytes, start - blockLength];
      for (let index = 0; index < blockLength; index += 1)
        bytes[start + index] = plain[start + index]! ^ before[from + index]!;
    }
  }
}
