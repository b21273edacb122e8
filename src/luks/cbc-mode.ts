import { type Cipheriv, createCipheriv } from 'node:crypto';
import { type BlockCipher, type BlockCipherName, blockCipher } from './block-cipher.ts';
import type { SectorCipher } from './sector-cipher.ts';
import { blockLength, type SectorIvs } from './sector-ivs.ts';
import { sectorUnit } from './sector-unit.ts';

/** A block cipher in CBC mode, each sector by itself. Source: NIST SP 800-38A, section 6.2. */
export class CbcMode implements SectorCipher {
  readonly #cipher: BlockCipher;
  readonly #ivs: SectorIvs;
  readonly #sectorLength: number;
  /** One chain for all sectors ever encrypted: making a new one takes longer than a sector. */
  readonly #chain: Cipheriv;
  /** The last block that came out of the chain. */
  #last: Uint8Array = new Uint8Array(blockLength);

  /** `sectorLength` is in bytes. */
  constructor(cipher: BlockCipherName, key: Uint8Array, ivs: SectorIvs, sectorLength: number) {
    this.#cipher = blockCipher(cipher, key);
    this.#ivs = ivs;
    this.#sectorLength = sectorLength;
    this.#chain = createCipheriv(`${cipher}-${key.length * 8}-cbc`, key, this.#last).setAutoPadding(false);
  }

  encrypt(bytes: Uint8Array, firstSector: number): void {
    const sectorLength = this.#sectorLength;
    const count = bytes.length / sectorLength;
    const ivs = this.#ivs(firstSector, count, sectorLength / sectorUnit);
    for (let sector = 0; sector < count; sector += 1) {
      const start = sector * sectorLength;
      const plain = bytes.subarray(start, start + sectorLength);
      // The chain xors the first block with what came out last; it is to be the initialisation vector instead.
      for (let index = 0; index < blockLength; index += 1) {
        plain[index]! ^= this.#last[index]! ^ ivs[sector * blockLength + index]!;
      }
      const encrypted = this.#chain.update(plain);
      plain.set(encrypted);
      this.#last = encrypted.subarray(sectorLength - blockLength);
    }
  }

  /** All sectors at once: what a block is xored with afterwards is known beforehand. */
  decrypt(bytes: Uint8Array, firstSector: number): void {
    const sectorLength = this.#sectorLength;
    const count = bytes.length / sectorLength;
    const ivs = this.#ivs(firstSector, count, sectorLength / sectorUnit);
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
