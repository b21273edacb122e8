import fs from 'node:fs/promises';
import { basename } from 'node:path';
import { systemError, VarveError } from '../base/varve-error.ts';
import { imageName, isImageName } from '../store/image-name.ts';
import { diskAddress } from './disk-address.ts';

/** Endings that say what kind of file a disk is in, and nothing of the machine. */
const diskExtension = /\.(raw|img|bin|dd|iso|qcow2?|vmdk|vhdx?|vdi|qed|hds|ova|gz|xz|zst|bz2)$/i;

/**
 * The name for the image of a source that was given none: the file's, or what stands last in an address, without its endings; `debian-12.5.qcow2` gives
 * `debian-12.5`.
 *
 * @throws VarveError `INVALID` where that cannot name an image
 */
export function sourceName(path: string): string {
  const address = diskAddress(path);
  let name = address?.name ?? basename(path);
  while (diskExtension.test(name)) name = name.replace(diskExtension, '');
  if (isImageName(name.normalize('NFC'))) return imageName(name);
  throw new VarveError(
    'INVALID',
    `cannot make a name for the image from ${JSON.stringify(address?.label ?? path)}; give one after it`,
  );
}

/**
 * Whether there is a file to import, before anything is begun. An address is asked when it is opened.
 * @throws VarveError `NOT_FOUND`, `PERMISSION`, `INVALID` and `UNSUPPORTED` for an address
 */
export async function requireSource(path: string): Promise<void> {
  if (diskAddress(path) !== undefined) return;
  try {
    await fs.access(path, fs.constants.R_OK);
  } catch (error) {
    throw systemError(`import ${path}`, error);
  }
}
