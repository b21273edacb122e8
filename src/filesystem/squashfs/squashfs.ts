import { isVarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import type { FileSystem, FileSystemDriver, FileSystemIdentity, OpenFileSystemOptions } from '../file-system.ts';
import { readInside } from '../read-inside.ts';
import { SquashfsFileSystem } from './squashfs-file-system.ts';
import { decodeSuperblock, type Superblock, squashfsVersion, superblockLength } from './superblock.ts';
import { SquashfsVolume } from './volume.ts';

const type = 'squashfs';

/** squashfs 4.0, compressed by gzip, xz, zstd, LZ4 or LZO, or not at all. */
export const squashfs: FileSystemDriver = {
  types: [type],
  async identify(device) {
    if (device.size < superblockLength) return undefined;
    const bytes = new Uint8Array(superblockLength);
    await device.read(bytes, 0);
    const version = squashfsVersion(bytes);
    if (version === undefined) return undefined;
    try {
      return identityOf(decodeSuperblock(bytes, ''));
    } catch (error) {
      // Older versions are told from what is no squashfs at all, so that they are refused by their names.
      if (isVarveError(error, 'UNSUPPORTED')) return { type, version, blockSize: 1, size: device.size };
      if (isVarveError(error)) return undefined;
      throw error;
    }
  },
  open: openSquashfs,
};

async function openSquashfs(device: BlockDevice, { name }: OpenFileSystemOptions): Promise<FileSystem> {
  const bytes = new Uint8Array(superblockLength);
  await readInside(device, bytes, 0, `${name}: squashfs superblock`);
  const superblock = decodeSuperblock(bytes, name);
  const volume = new SquashfsVolume(device, superblock, name);
  const { size } = superblock;
  if (size > device.size) throw volume.corrupt(`its squashfs has ${size} bytes, and the disk ${device.size}`);
  const fileSystem = new SquashfsFileSystem(volume, identityOf(superblock));
  const { kind } = await fileSystem.stat(fileSystem.root);
  if (kind === 'directory') return fileSystem;
  throw volume.corrupt(`its root is a ${kind}`);
}

function identityOf({ blockSize, size }: Superblock): FileSystemIdentity {
  return { type, version: '4.0', blockSize, size };
}
