import type { BlockDevice } from '../block/block-device.ts';
import type { FileSystem, FileSystemIdentity } from '../filesystem/file-system.ts';
import { findFileSystem } from '../filesystem/file-systems.ts';
import { findSwapSpace } from '../filesystem/swap/swap-space.ts';
import { sliceFilter } from '../filter/slice.ts';
import type { Volume } from '../image/disk-volumes.ts';

/** What a volume of a guest's disk holds. */
export interface GuestVolume extends Volume {
  /** Undefined for what is not known here. */
  readonly identity?: FileSystemIdentity | undefined;
  readonly isSwap: boolean;
}

/** What stands on a volume, as far as that can be told without opening it. */
export async function identifyVolume(device: BlockDevice, volume: Volume): Promise<GuestVolume> {
  const part = sliceFilter(device, volume);
  const driver = await findFileSystem(part);
  if (driver !== undefined) return { ...volume, identity: await driver.identify(part), isSwap: false };
  const swap = await findSwapSpace(part);
  if (swap === undefined) return { ...volume, isSwap: false };
  const { label, pageSize: blockSize, size, uuid } = swap;
  return { ...volume, identity: { type: 'swap', label, uuid, blockSize, size }, isSwap: true };
}

/** Opens the file system of a volume; undefined where it holds none. @throws VarveError `CORRUPT`, `UNSUPPORTED` */
export async function openVolume(device: BlockDevice, volume: Volume, name: string): Promise<FileSystem | undefined> {
  const part = sliceFilter(device, volume);
  const driver = await findFileSystem(part);
  return await driver?.open(part, { name: `${name}, ${volume.name}` });
}
