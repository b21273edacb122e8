import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { decodeUuid, zeroGuid } from '../../bytes/guid.ts';
import type { FileSystem, FileSystemDriver, FileSystemIdentity, OpenFileSystemOptions } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import { replayedDevice } from '../replayed-device.ts';
import { readLog } from './log/replay-log.ts';
import { decodeSuperblock, looksLikeXfs, type Superblock, sectorSizeOf, smallestSector } from './superblock.ts';
import { XfsVolume } from './volume.ts';
import { XfsFileSystem } from './xfs-file-system.ts';

/** XFS, versions 4 and 5. A log that was not written back is read in its place, and left as it is. */
export const xfs: FileSystemDriver = {
  types: ['xfs'],
  async identify(device) {
    if (device.size < smallestSector) return undefined;
    const bytes = new Uint8Array(smallestSector);
    await device.read(bytes, 0);
    if (!looksLikeXfs(bytes)) return undefined;
    try {
      return identityOf(await readSuperblock(device, ''));
    } catch (error) {
      if (isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) return undefined;
      throw error;
    }
  },
  open: openXfs,
};

async function openXfs(device: BlockDevice, { name }: OpenFileSystemOptions): Promise<FileSystem> {
  const superblock = await readSuperblock(device, name);
  const log = await readLog(new XfsVolume(device, superblock, name));
  if (log.isUnmounted) return await openVolume(new XfsVolume(device, superblock, name), !superblock.needsRepair);
  const replayed = replayedDevice(device, log.blocks, superblock.blockSize);
  const current = await readSuperblock(replayed, name);
  return await openVolume(new XfsVolume(replayed, current, name), false);
}

async function openVolume(volume: XfsVolume, isClean: boolean): Promise<FileSystem> {
  const fileSystem = new XfsFileSystem(volume, identityOf(volume.superblock), isClean);
  const { kind } = await fileSystem.stat(fileSystem.root);
  if (kind === 'directory') return fileSystem;
  throw volume.corrupt(`its root, inode ${fileSystem.root}, is a ${kind}`);
}

async function readSuperblock(device: BlockDevice, name: string): Promise<Superblock> {
  const first = new Uint8Array(smallestSector);
  await readInside(device, first, 0, `${name}: XFS superblock`);
  const bytes = new Uint8Array(sectorSizeOf(first));
  await readInside(device, bytes, 0, `${name}: XFS superblock`);
  return decodeSuperblock(bytes, name);
}

function identityOf(superblock: Superblock): FileSystemIdentity {
  const { blockSize, blockCount, label, version } = superblock;
  const uuid = decodeUuid(superblock.uuid);
  return {
    ...{ type: 'xfs', version: `v${version}`, blockSize, size: blockCount * blockSize },
    label: label === '' ? undefined : label,
    uuid: uuid === zeroGuid ? undefined : uuid,
  };
}
