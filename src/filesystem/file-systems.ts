import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { btrfs } from './btrfs/btrfs.ts';
import { erofs } from './erofs/erofs.ts';
import { exfat } from './exfat/exfat.ts';
import { ext4 } from './ext4/ext4.ts';
import { fat } from './fat/fat.ts';
import type { FileSystem, FileSystemDriver, OpenFileSystemOptions } from './file-system.ts';
import { iso9660 } from './iso9660/iso9660.ts';
import { ntfs } from './ntfs/ntfs.ts';
import { squashfs } from './squashfs/squashfs.ts';
import { xfs } from './xfs/xfs.ts';

/** All kinds that are known, the most telling first. */
const fileSystemDrivers: readonly FileSystemDriver[] = [ext4, xfs, btrfs, squashfs, erofs, iso9660, ntfs, exfat, fat];

/** The kind of file system that a device holds, or undefined. Never fails for what is on the disk. */
export async function findFileSystem(device: BlockDevice): Promise<FileSystemDriver | undefined> {
  for (const driver of fileSystemDrivers) if ((await driver.identify(device)) !== undefined) return driver;
  return undefined;
}

/**
 * Opens the file system that a device holds; the device stays the caller's.
 *
 * @throws VarveError `UNSUPPORTED` where it holds none that is known; `CORRUPT`
 */
export async function openFileSystem(device: BlockDevice, options: OpenFileSystemOptions): Promise<FileSystem> {
  const driver = await findFileSystem(device);
  if (driver !== undefined) return await driver.open(device, options);
  throw new VarveError('UNSUPPORTED', `${options.name} holds no file system that is known here`);
}
