/*
 * Source: LUKS2 On-Disk Format Specification, version 1.1.3, sections 3 and 4.
 */
import { timingSafeEqual } from 'node:crypto';
import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { alignUp } from '../bytes/align.ts';
import { mergeStripes } from './anti-forensic.ts';
import { checkHash, deriveKey, pbkdf2Key } from './derive-key.ts';
import type { LockedVolume } from './locked-volume.ts';
import { readLuks2Header } from './luks2-header.ts';
import { decodeLuks2Metadata, type Luks2Digest, type Luks2KeySlot, type Luks2Metadata } from './luks2-metadata.ts';
import { sectorCipher } from './sector-cipher.ts';

const sectorLength = 512;
const maximumKeyLength = 128;
const maximumStripes = 16_384;
const maximumDigestLength = 64;

/**
 * Reads the header of a LUKS2 volume.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED` for integrity, ciphers and the like that are not known
 */
export async function openLuks2(device: BlockDevice, name: string): Promise<LockedVolume> {
  const { json, size, uuid } = await readLuks2Header(device, name);
  const metadata = decodeLuks2Metadata(json, name);
  checkSegment(metadata, device, name);
  for (const slot of metadata.keySlots) checkSlot(slot, { start: size * 2, end: device.size, name });
  const { segment } = metadata;
  return {
    ...{ uuid, offset: segment.offset, length: segment.length ?? device.size - segment.offset },
    async unlock(passphrase) {
      const slots = slotsFor(metadata).toSorted((a, b) => b.slot.priority - a.slot.priority);
      for (const { digest, slot } of slots) {
        const key = await keyIn(device, slot, digest, passphrase, name);
        if (key === undefined) continue;
        const cipher = cipherFor(segment.encryption, key, name, segment.sectorLength);
        return { cipher, sectorLength: segment.sectorLength, firstSector: segment.firstSector };
      }
      throw new VarveError('PERMISSION', `cannot open ${name}: the passphrase fits none of its key slots`);
    },
  };
}

/** The slots whose keys are the segment's. */
function slotsFor({ digests, keySlots, segment }: Luks2Metadata): { slot: Luks2KeySlot; digest: Luks2Digest }[] {
  return digests
    .filter(({ segments }) => segments.includes(segment.id))
    .flatMap((digest) => keySlots.filter(({ id }) => digest.keySlots.includes(id)).map((slot) => ({ slot, digest })));
}

function checkSegment({ segment }: Luks2Metadata, device: BlockDevice, name: string): void {
  const { length = device.size - segment.offset, offset, sectorLength: unit } = segment;
  if (offset % sectorLength !== 0 || length < 0 || offset + length > device.size) {
    throw new VarveError('CORRUPT', `cannot read ${name}: its LUKS2 segment at byte ${offset} lies past its end`);
  }
  if (segment.length !== undefined && segment.length % unit !== 0) {
    throw new VarveError('CORRUPT', `cannot read ${name}: its LUKS2 segment has no whole number of sectors`);
  }
  cipherName(segment.encryption, name);
}

function checkSlot(
  slot: Luks2KeySlot,
  area: { readonly start: number; readonly end: number; readonly name: string },
): void {
  const { areaKeyLength, areaLength, areaOffset, id, keyLength, stripeHash, stripes } = slot;
  const corrupt = (why: string): VarveError =>
    new VarveError('CORRUPT', `cannot read ${area.name}: LUKS2 keyslot ${id} ${why}`);
  for (const length of [keyLength, areaKeyLength]) {
    if (length === 0 || length > maximumKeyLength) throw corrupt(`has a key of ${length} bytes`);
  }
  if (stripes === 0 || stripes > maximumStripes) throw corrupt(`has ${stripes} stripes`);
  if (areaOffset < area.start || areaOffset + areaLength > area.end) throw corrupt(`has no room at byte ${areaOffset}`);
  if (materialLength(slot) > areaLength) throw corrupt(`has ${areaLength} bytes, which is too little`);
  checkHash(stripeHash, area.name);
}

function materialLength({ keyLength, stripes }: Luks2KeySlot): number {
  return alignUp(keyLength * stripes, sectorLength);
}

/** The key, where the passphrase is that of the slot. */
async function keyIn(
  device: BlockDevice,
  slot: Luks2KeySlot,
  digest: Luks2Digest,
  passphrase: Uint8Array,
  name: string,
): Promise<Uint8Array | undefined> {
  const slotKey = await deriveKey(passphrase, slot.derivation, slot.areaKeyLength, name);
  const material = new Uint8Array(materialLength(slot));
  await device.read(material, slot.areaOffset);
  cipherFor(slot.areaEncryption, slotKey, name, sectorLength).decrypt(material, 0);
  const key = mergeStripes(material, slot.keyLength, slot.stripes, slot.stripeHash);
  const { length } = digest.digest;
  if (length === 0 || length > maximumDigestLength) {
    throw new VarveError('CORRUPT', `cannot read ${name}: a digest of its LUKS2 header has ${length} bytes`);
  }
  const found = await pbkdf2Key(key, { ...digest, length }, name);
  return timingSafeEqual(found, digest.digest) ? key : undefined;
}

function cipherFor(encryption: string, key: Uint8Array, name: string, unit: number): ReturnType<typeof sectorCipher> {
  const { cipher, mode } = cipherName(encryption, name);
  return sectorCipher(cipher, mode, key, name, unit);
}

/** `aes-xts-plain64`, taken apart. */
function cipherName(encryption: string, name: string): { readonly cipher: string; readonly mode: string } {
  const [, cipher, mode] = /^([\w]{1,31})-([\w:-]{1,63})$/.exec(encryption) ?? [];
  if (cipher !== undefined && mode !== undefined) return { cipher, mode };
  throw new VarveError('UNSUPPORTED', `cannot open ${name}: its cipher is ${JSON.stringify(encryption)}`);
}
