import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { decodeUuid } from '../../bytes/guid.ts';
import { isEqual } from '../../bytes/is-equal.ts';
import type { FileSystem, FileSystemDriver, FileSystemIdentity, OpenFileSystemOptions } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import { BtrfsFileSystem } from './btrfs-file-system.ts';
import { Forest } from './forest.ts';
import { replayLog } from './log/replay-log.ts';
import { readChunks } from './read-chunks.ts';
import { Subvolumes } from './subvolumes.ts';
import { decodeSuperblock, looksLikeBtrfs, type Superblock, superblockLength, superblockPlaces } from './superblock.ts';
import { BtrfsVolume } from './volume.ts';

/** Btrfs, as far as it is on one device; the uppermost directory is that of the default subvolume. */
export const btrfs: FileSystemDriver = {
  types: ['btrfs'],
  async identify(device) {
    const bytes = await superblockAt(device, superblockPlaces[0]!);
    if (bytes === undefined || !looksLikeBtrfs(bytes)) return undefined;
    try {
      return identityOf((await newestSuperblock(device, '')).superblock);
    } catch (error) {
      if (isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) return undefined;
      throw error;
    }
  },
  open: openBtrfs,
};

async function openBtrfs(device: BlockDevice, { name }: OpenFileSystemOptions): Promise<FileSystem> {
  const { superblock, isFirst } = await newestSuperblock(device, name);
  const volume = new BtrfsVolume(device, superblock, name);
  await readChunks(volume);
  const forest = new Forest(volume);
  await replayLog(forest);
  const subvolumes = new Subvolumes(forest);
  const id = await subvolumes.defaultId();
  const top = await subvolumes.open(id);
  if (top === undefined) throw volume.corrupt(`its default subvolume, ${id}, is not there`);
  const isClean = superblock.isSound && isFirst && superblock.log === undefined && superblock.deviceCount === 1;
  const fileSystem = new BtrfsFileSystem({ forest, subvolumes, identity: identityOf(superblock), top, isClean });
  const { kind } = await fileSystem.stat(fileSystem.root);
  if (kind === 'directory') return fileSystem;
  throw volume.corrupt(`the root of subvolume ${id}, inode ${top.rootDirectory}, is a ${kind}`);
}

async function superblockAt(device: BlockDevice, place: number): Promise<Uint8Array | undefined> {
  if (place + superblockLength > device.size) return undefined;
  const bytes = new Uint8Array(superblockLength);
  await device.read(bytes, place);
  return bytes;
}

/**
 * The copy of the superblock that was written last, of those that are in order and of this file system. A disk that was made
 * anew as something else keeps the others, so that the first one has to be there, if damaged.
 */
async function newestSuperblock(
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

function identityOf({ label, fsid, sectorSize, deviceSize }: Superblock): FileSystemIdentity {
  return {
    ...{ type: 'btrfs', blockSize: sectorSize, size: deviceSize, uuid: decodeUuid(fsid) },
    label: label === '' ? undefined : label,
  };
}
