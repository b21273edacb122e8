import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';

/** In the place of what opens LUKS: the ciphers of a browser answer late, and none of them is XTS. */
export async function openLockedVolume(_device: BlockDevice, name: string): Promise<never> {
  throw unreadable(name);
}

/** The same for what is in an image. */
export async function openLuks1(_device: BlockDevice, { name }: { readonly name: string }): Promise<never> {
  throw unreadable(name);
}

function refuse(): never {
  throw unreadable('what is encrypted');
}

function unreadable(name: string): VarveError {
  return new VarveError(
    'UNSUPPORTED',
    `cannot read ${name}: no encryption is read in a browser; use varve on a machine`,
  );
}

export { refuse as decryptedDevice, refuse as sectorCipher };
