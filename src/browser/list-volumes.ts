import { listVolumes as listVolumesOf, type UsedVolume } from '../guest/list-volumes.ts';
import type { OpenedDisk } from './open-disk.ts';

/**
 * The volumes of a disk, whether a system is on it or not, and how much of them is in use.
 *
 * @throws VarveError `CORRUPT` for a partition table that cannot be read
 */
export async function listVolumes({ device, label }: Pick<OpenedDisk, 'device' | 'label'>): Promise<UsedVolume[]> {
  return await listVolumesOf(device, { name: label });
}
