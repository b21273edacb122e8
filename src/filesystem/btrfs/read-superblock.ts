import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { decodeUuid } from '../../bytes/guid.ts';
import { isEqual } from '../../bytes/is-equal.ts';
import type { FileSystemIdentity } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import { decodeSuperblock, looksLikeBtrfs, type Superblock, superblockLength, superblockPlaces } from './superblock.ts';

/** Whether a device begins like a Btrfs. */
export async function hasBtrfsMark(device: BlockDevice): Promise<boolean> {
  const bytes = await superblockAt(device, superblockPlaces[0]!);
  return bytes !== undefined && looksLikeBtrfs(bytes);
}

async function superblockAt(device: BlockDevice, place: number): Promise<Uint8Array | undefined> {
  if (place + superblockLength > device.size) return undefined;
  const bytes = new Uint8Array(superblockLength);
  await device.read(bytes, place);
  return bytes;
}

/**
 * The copy of the superblock that was written last, of those that are in order and of this file system. A disk that was made
 * anew as something else keeps the others, so that the first one has to be there, if damaged. `name` is the disk's.
 *
 * @throws VarveError `CORRUPT`, `UNSUPPORTED`
 */
export async function newestSuperblock(
  device: BlockDevice,
  name: string,
): Promise<{ readonly superblock: Superblock; readonly isFirst: boolean }> {
  let newest: { superblock: Superblock; isFirst: boolean } | undefined;
  let failure: unknown;
  let fsid: Uint8Array | undefined;
  for (const place of superblockPlaces) {
    const bytes = await superblockAt(device, place);
    if (bytes === undefined) continue;
    fsid ??= bytes.slice(32, 48);
    if (!looksLikeBtrfs(bytes) && place !== superblockPlaces[0]) continue;
    try {
      const superblock = decodeSuperblock(bytes, place, name);
      const isNewer = newest === undefined || superblock.generation > newest.superblock.generation;
      if (isNewer && isEqual(superblock.fsid, fsid)) newest = { superblock, isFirst: place === superblockPlaces[0] };
    } catch (error) {
      if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) throw error;
      if (error.code === 'UNSUPPORTED') throw error;
      failure ??= error;
    }
  }
  if (newest !== undefined) return newest;
  await readInside(device, new Uint8Array(superblockLength), superblockPlaces[0]!, `${name}: Btrfs superblock`);
  throw failure ?? new VarveError('CORRUPT', `cannot read ${name}: there is no Btrfs superblock`);
}

/** What a superblock says of its file system. */
export function identityOf({ label, fsid, sectorSize, deviceSize }: Superblock): FileSystemIdentity {
  return {
    ...{ type: 'btrfs', blockSize: sectorSize, size: deviceSize, uuid: decodeUuid(fsid) },
    label: label === '' ? undefined : label,
  };
}
