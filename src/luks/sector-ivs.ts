/*
 * What makes the same bytes different in each sector: `plain64` is the sector's number in 16 bytes, little-endian,
 * `plain` the lower 32 bits of it, and `essiv:sha256` that, encrypted with the block cipher under the SHA-256 of the key.
 *
 * Source: Linux Documentation/admin-guide/device-mapper/dm-crypt.rst; Fruhwirth, New Methods in Hard Disk Encryption,
 * sections 2.4 and 4.3.
 */
import { createHash } from 'node:crypto';
import { type BlockCipherName, blockCipher } from './block-cipher.ts';

/** The length of a cipher's block, in bytes. */
export const blockLength = 16;

/** The 16 bytes for each of `count` sectors whose numbers go up by `step` from `first` on, one after the other. */
export type SectorIvs = (first: number, count: number, step: number) => Uint8Array;

/** Initialisation vectors by their name in LUKS; undefined for a name that is not known. */
export function sectorIvs(name: string, cipher: BlockCipherName, key: Uint8Array): SectorIvs | undefined {
  if (name === 'plain64') return plain64;
  if (name === 'plain') return (first, count, step) => numbered(first, count, step, (sector) => [sector % 2 ** 32, 0]);
  if (name !== 'essiv:sha256') return undefined;
  const { encrypt } = blockCipher(cipher, createHash('sha256').update(key).digest());
  return (first, count, step) => encrypt(plain64(first, count, step));
}

const plain64: SectorIvs = (first, count, step) =>
  numbered(first, count, step, (sector) => [sector % 2 ** 32, Math.floor(sector / 2 ** 32)]);

function numbered(
  first: number,
  count: number,
  step: number,
  halves: (sector: number) => [low: number, high: number],
): Uint8Array {
  const view = new DataView(new ArrayBuffer(count * blockLength));
  for (let index = 0; index < count; index += 1) {
    const [low, high] = halves(first + index * step);
    view.setUint32(index * blockLength, low, true);
    view.setUint32(index * blockLength + 4, high, true);
  }
  return new Uint8Array(view.buffer);
}
