import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { SectorCipher } from './sector-cipher.ts';

/** A volume that LUKS has encrypted: its header, and where its content is. */
export interface LockedVolume {
  readonly uuid: string;
  /** Where the content stands, in bytes. */
  readonly offset: number;
  readonly length: number;
  /**
   * What decrypts the content.
   *
   * @throws VarveError `PERMISSION` where the passphrase opens no key slot, `CORRUPT`, `UNSUPPORTED`
   */
  unlock(passphrase: Uint8Array): Promise<ContentCipher>;
}

/** How the content of a volume is encrypted. */
export interface ContentCipher {
  readonly cipher: SectorCipher;
  /** In bytes. */
  readonly sectorLength: number;
  /** The number of the content's first sector, in 512 bytes. */
  readonly firstSector: number;
}

const headerUnit = 512;

/** @throws VarveError `CORRUPT`, `UNSUPPORTED` */
export async function openLockedVolume(device: BlockDevice, name: string): Promise<LockedVolume> {
  const version = new Uint8Array(2);
  if (device.size >= headerUnit) await device.read(version, 6);
  // Loaded where there is one: with it come the ciphers, and few disks need any.
  if (version[1] !== 1) return await (await import('./unlock-luks2.ts')).openLuks2(device, name);
  const { openLuks1 } = await import('./unlock-luks1.ts');
  const { header, unlock } = await openLuks1(device, { offset: 0, length: device.size, name });
  const offset = header.payloadOffset * headerUnit;
  if (offset > device.size) {
    throw new VarveError('CORRUPT', `cannot read ${name}: its LUKS payload-offset, byte ${offset}, is past its end`);
  }
  return {
    ...{ uuid: header.uuid, offset, length: device.size - offset },
    unlock: async (passphrase) => ({ cipher: await unlock(passphrase), sectorLength: headerUnit, firstSector: 0 }),
  };
}
