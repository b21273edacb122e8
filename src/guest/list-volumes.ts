import { isVarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import type { FileSystemUsage } from '../filesystem/file-system.ts';
import { openVolume } from './guest-volume.ts';
import { type MountedVolume, mountVolumes } from './mount-volumes.ts';
import { findGuestVolumes, type VolumeTreeOptions } from './volume-tree.ts';

/** A volume, and how much of it is in use. */
export interface UsedVolume extends MountedVolume {
  /** In bytes; undefined where that cannot be told. */
  readonly used?: number | undefined;
  /** The same as its file system tells it. */
  readonly usage?: FileSystemUsage | undefined;
}

/**
 * The volumes of a disk, whether a system is on it or not, and where that would mount them.
 *
 * @throws VarveError `CORRUPT` for a partition table that cannot be read
 */
export async function listVolumes(device: BlockDevice, options: VolumeTreeOptions): Promise<UsedVolume[]> {
  await using mounted = await mountVolumes(await findGuestVolumes(device, options), options.name);
  const listed: UsedVolume[] = [];
  for (const volume of mounted.volumes) listed.push(await withUsage(volume, options.name));
  return listed;
}

async function withUsage(volume: MountedVolume, name: string): Promise<UsedVolume> {
  try {
    await using fileSystem = await openVolume(volume, name);
    if (fileSystem === undefined) return volume;
    const usage = await fileSystem.usage();
    return { ...volume, used: usage.size - usage.free, usage };
  } catch (error) {
    if (!isVarveError(error, 'CORRUPT', 'UNSUPPORTED')) throw error;
    return { ...volume, problem: volume.problem ?? error };
  }
}
