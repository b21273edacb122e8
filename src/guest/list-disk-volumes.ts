import { type OpenDiskOptions, openDisk } from '../image/open-disk.ts';
import { listVolumes, type UsedVolume } from './list-volumes.ts';

/** How a disk is opened for its volumes to be listed. */
export interface ListDiskVolumesOptions extends OpenDiskOptions {
  /** Whether encrypted volumes are opened, too, with what `askSecret` gives. */
  readonly opensVolumes: boolean;
}

/** Opens a disk by its name, and lists its volumes. @throws VarveError as `openDisk` and `listVolumes` do */
export async function listDiskVolumes(
  disk: string,
  { opensVolumes, ...options }: ListDiskVolumesOptions,
): Promise<UsedVolume[]> {
  await using opened = await openDisk(disk, options);
  const askSecret = opensVolumes ? options.askSecret : undefined;
  return await listVolumes(opened.device, { name: opened.label, askSecret });
}
