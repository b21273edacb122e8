import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { FileSystem, FileSystemDriver, FileSystemIdentity, OpenFileSystemOptions } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import { ErofsFileSystem } from './erofs-file-system.ts';
import {
  checksumFits,
  decodeSuperblock,
  looksLikeErofs,
  type Superblock,
  superblockLength,
  superblockOffset,
} from './superblock.ts';
import { ErofsVolume } from './volume.ts';

const type = 'erofs';

/** EROFS; files that are compressed by anything but LZ4 are listed and not read. */
export const erofs: FileSystemDriver = {
  types: [type],
  async identify(device) {
    if (device.size < superblockOffset + superblockLength) return undefined;
    const bytes = new Uint8Array(superblockLength);
    await device.read(bytes, superblockOffset);
    if (!looksLikeErofs(bytes)) return undefined;
    try {
      return identityOf(decodeSuperblock(bytes, ''));
    } catch (error) {
      if (isVarveError(error, 'UNSUPPORTED')) return { type, blockSize: 1, size: device.size };
      if (isVarveError(error)) return undefined;
      throw error;
    }
  },
  open: openErofs,
};

async function openErofs(device: BlockDevice, { name }: OpenFileSystemOptions): Promise<FileSystem> {
  const bytes = new Uint8Array(superblockLength);
  await readInside(device, bytes, superblockOffset, `${name}: EROFS superblock`);
  const superblock = decodeSuperblock(bytes, name);
  const volume = new ErofsVolume(device, superblock, name);
  const { blockSize, hasChecksum } = superblock;
  if (hasChecksum && blockSize > superblockOffset) {
    const block = new Uint8Array(blockSize - superblockOffset);
    await volume.read(block, superblockOffset, 'EROFS superblock');
    if (!checksumFits(block)) throw volume.corrupt('the EROFS superblock does not fit its checksum');
  }
  const fileSystem = new ErofsFileSystem(volume, identityOf(superblock));
  const { kind } = await fileSystem.stat(fileSystem.root);
  if (kind === 'directory') return fileSystem;
  throw volume.corrupt(`its root, inode ${fileSystem.root}, is a ${kind}`);
}

function identityOf({ blockSize, size, label, uuid }: Superblock): FileSystemIdentity {
  return { type, blockSize, size, label, uuid };
}
