import { pbkdf2Sync } from 'node:crypto';
import { pattern } from '../../src/conformance/device-content.ts';
import { splitKey } from '../../src/luks/anti-forensic.ts';
import { encodeLuks1Header, type Luks1Header, type LuksKeySlot } from '../../src/luks/luks1-header.ts';
import { sectorCipher } from '../../src/luks/sector-cipher.ts';

/** What a sample of a LUKS header is made of. */
export interface Luks1Sample {
  readonly passphrase: string;
  readonly key: Uint8Array;
  readonly cipherMode: string;
  readonly hashSpec: string;
  /** Which of the eight key slots is used. */
  readonly slot: number;
}

const iterations = 10;
const stripes = 40;
const materialSector = 8;

/** The bytes of a LUKS 1 header with one key slot and its key material, of few iterations so that it opens at once. */
export function luks1Sample({ cipherMode, hashSpec, key, passphrase, slot }: Luks1Sample): Uint8Array {
  const [salt, digestSalt] = [pattern(32, 1), pattern(32, 2)];
  const unused: LuksKeySlot = { active: false, iterations: 0, salt: new Uint8Array(32), keyMaterialOffset: 8, stripes };
  const used = { active: true, iterations, salt, keyMaterialOffset: materialSector, stripes };
  const header: Luks1Header = {
    cipherName: 'aes',
    cipherMode,
    hashSpec,
    payloadOffset: 4096,
    keyBytes: key.length,
    digest: pbkdf2Sync(key, digestSalt, iterations, 20, hashSpec),
    digestSalt,
    digestIterations: iterations,
    uuid: '6f7c0000-0000-4000-8000-000000000000',
    keySlots: Array.from({ length: 8 }, (_, index) => (index === slot ? used : unused)),
  };
  const material = splitKey(key, stripes, hashSpec, pattern(key.length * (stripes - 1), 3));
  const sectors = new Uint8Array(Math.ceil(material.length / 512) * 512);
  sectors.set(material);
  const slotKey = pbkdf2Sync(passphrase, salt, iterations, key.length, hashSpec);
  sectorCipher('aes', cipherMode, slotKey, 'sample').encrypt(sectors, 0);
  const area = new Uint8Array(materialSector * 512 + sectors.length);
  area.set(encodeLuks1Header(header));
  area.set(sectors, materialSector * 512);
  return area;
}
