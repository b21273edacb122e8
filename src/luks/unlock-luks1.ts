/*
 * Source: LUKS On-Disk Format Specification, version 1.2.3, section 4.3 "Master key recovery".
 */
import { getHashes, pbkdf2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { alignUp } from '../bytes/align.ts';
import { mergeStripes } from './anti-forensic.ts';
import { decodeLuks1Header, type Luks1Header, type LuksKeySlot, luks1HeaderLength } from './luks1-header.ts';
import { type SectorCipher, sectorCipher } from './sector-cipher.ts';

/** Where a LUKS header is. */
export interface LuksHeaderPlace {
  /** In bytes. */
  readonly offset: number;
  /** With the key material, in bytes. */
  readonly length: number;
  /** What errors call the disk. */
  readonly name: string;
}

/** A header that is decoded, and that something can be done with. */
export interface LockedLuks1 {
  readonly header: Luks1Header;
  /**
   * The cipher of what is encrypted.
   *
   * @throws VarveError `PERMISSION` where the passphrase opens no key slot
   */
  unlock(passphrase: Uint8Array): Promise<SectorCipher>;
}

const sectorLength = 512;
const maximumKeyLength = 64;
const maximumStripes = 16384;
/** Some ten seconds of work; whoever makes a disk lets it take one or two. */
const maximumIterations = 2 ** 25;
const knownHashes = ['sha1', 'sha256', 'sha512', 'ripemd160'];

const deriveKey = promisify(pbkdf2);

/**
 * Reads the LUKS header in a device.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for versions, hashes and ciphers that are not known
 */
export async function openLuks1(device: BlockDevice, place: LuksHeaderPlace): Promise<LockedLuks1> {
  const { length, name, offset } = place;
  const bytes = new Uint8Array(Math.min(luks1HeaderLength, length));
  await device.read(bytes, offset);
  const header = decodeLuks1Header(bytes, name);
  checkFields(header, place);
  // Whether the cipher is known is better said before a passphrase is asked for.
  sectorCipher(header.cipherName, header.cipherMode, new Uint8Array(header.keyBytes), name);
  return {
    header,
    async unlock(passphrase) {
      for (const slot of header.keySlots) {
        const key = slot.active ? await keyIn(device, place, header, slot, passphrase) : undefined;
        if (key !== undefined) return sectorCipher(header.cipherName, header.cipherMode, key, name);
      }
      throw new VarveError('PERMISSION', `cannot open ${name}: the passphrase fits none of its key slots`);
    },
  };
}

function checkFields(header: Luks1Header, { length, name }: LuksHeaderPlace): void {
  const { digestIterations, hashSpec, keyBytes, keySlots } = header;
  if (!knownHashes.includes(hashSpec) || !getHashes().includes(hashSpec)) {
    const known = `${knownHashes.join(', ')} are known`;
    throw new VarveError('UNSUPPORTED', `cannot open ${name}: its LUKS hash is ${JSON.stringify(hashSpec)}; ${known}`);
  }
  const corrupt = (why: string): VarveError => new VarveError('CORRUPT', `cannot read ${name}: ${why}`);
  if (keyBytes === 0 || keyBytes > maximumKeyLength) throw corrupt(`LUKS key-bytes is ${keyBytes}`);
  for (const count of [digestIterations, ...keySlots.filter(({ active }) => active).map((slot) => slot.iterations)]) {
    if (count === 0 || count > maximumIterations)
      throw corrupt(`LUKS iterations are ${count}, over ${maximumIterations}`);
  }
  for (const [index, { active, keyMaterialOffset, stripes }] of keySlots.entries()) {
    if (!active) continue;
    if (stripes === 0 || stripes > maximumStripes) throw corrupt(`LUKS key slot ${index} has ${stripes} stripes`);
    if (keyMaterialOffset * sectorLength + materialLength(header, stripes) <= length) continue;
    throw corrupt(`the key material of LUKS key slot ${index} lies past the end of the header's ${length} bytes`);
  }
}

function materialLength({ keyBytes }: Luks1Header, stripes: number): number {
  return alignUp(keyBytes * stripes, sectorLength);
}

/** The key, where the passphrase is that of the slot. */
async function keyIn(
  device: BlockDevice,
  place: LuksHeaderPlace,
  header: Luks1Header,
  slot: LuksKeySlot,
  passphrase: Uint8Array,
): Promise<Uint8Array | undefined> {
  const { cipherMode, cipherName, digest, digestIterations, digestSalt, hashSpec, keyBytes } = header;
  const slotKey = await deriveKey(passphrase, slot.salt, slot.iterations, keyBytes, hashSpec);
  const material = new Uint8Array(materialLength(header, slot.stripes));
  await device.read(material, place.offset + slot.keyMaterialOffset * sectorLength);
  sectorCipher(cipherName, cipherMode, slotKey, place.name).decrypt(material, 0);
  const key = mergeStripes(material, keyBytes, slot.stripes, hashSpec);
  const found = await deriveKey(key, digestSalt, digestIterations, digest.length, hashSpec);
  return timingSafeEqual(found, digest) ? key : undefined;
}
