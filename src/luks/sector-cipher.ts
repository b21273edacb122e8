import { VarveError } from '../base/varve-error.ts';
import type { BlockCipherName } from './block-cipher.ts';
import { CbcMode } from './cbc-mode.ts';
import { sectorIvs } from './sector-ivs.ts';
import { XtsMode } from './xts-mode.ts';

/** Encrypts and decrypts sectors by their numbers, which count 512 bytes whatever the sectors' own length is. */
export interface SectorCipher {
  /** Encrypts whole sectors in place; `firstSector` is the first one's number. */
  encrypt(bytes: Uint8Array, firstSector: number): void;
  /** Decrypts whole sectors in place. */
  decrypt(bytes: Uint8Array, firstSector: number): void;
}

/**
 * The cipher that LUKS calls by these names, as `aes` and `xts-plain64`: AES, Camellia or ARIA in XTS or CBC mode, with `plain`,
 * `plain64` or `essiv:sha256` for the initialisation vectors. `diskName` is what errors call the disk,
 * `sectorLength` is in bytes.
 *
 * @throws VarveError `UNSUPPORTED` for any other, `CORRUPT` for a key whose length does not fit
 */
export function sectorCipher(
  name: string,
  mode: string,
  key: Uint8Array,
  diskName: string,
  sectorLength = 512,
): SectorCipher {
  const dash = mode.indexOf('-');
  const chaining = mode.slice(0, dash);
  const lengths = dash > 0 ? keyLengths.get(chaining) : undefined;
  if (lengths === undefined || !isKnown(name)) throw unknownCipher(name, mode, diskName);
  if (!lengths.includes(key.length)) {
    const why = `a key of ${key.length} bytes is none for the cipher ${name}-${mode}`;
    throw new VarveError('CORRUPT', `cannot read ${diskName}: ${why}`);
  }
  const ivs = sectorIvs(mode.slice(dash + 1), name, key);
  if (ivs === undefined) throw unknownCipher(name, mode, diskName);
  return chaining === 'xts' ? new XtsMode(name, key, ivs, sectorLength) : new CbcMode(name, key, ivs, sectorLength);
}

function isKnown(name: string): name is BlockCipherName {
  return name === 'aes' || name === 'camellia' || name === 'aria';
}

/** In bytes; XTS takes two keys in one. */
const keyLengths: ReadonlyMap<string, readonly number[]> = new Map([
  ['xts', [32, 64]],
  ['cbc', [16, 24, 32]],
]);

function unknownCipher(name: string, mode: string, diskName: string): VarveError {
  const known = 'aes, camellia and aria are, in the modes xts-plain64, cbc-essiv:sha256 and cbc-plain64';
  return new VarveError(
    'UNSUPPORTED',
    `cannot open ${diskName}: its cipher is ${name}-${mode}, which is not known; ${known}`,
  );
}
