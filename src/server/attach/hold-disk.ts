import { becomeIoFlusher } from '../../linux/io-flusher.ts';
import { diskFile, diskFileMode } from '../fuse/disk-file.ts';
import type { AttachedDiskRequest } from './attached-disk-request.ts';
import type { Held } from './held.ts';
import { openAttachedDisk } from './open-attached-disk.ts';
import { showByFuse } from './show-by-fuse.ts';

/** Opens a disk to be shown as a file, or a block device. @throws VarveError as `openAttachedDisk` does */
export async function holdDisk(request: AttachedDiskRequest): Promise<Held> {
  becomeIoFlusher();
  const disk = await openAttachedDisk(request);
  const { access, device } = disk;
  const isWritable = device.supports.write;
  const isRoot = process.geteuid?.() === 0;
  const how = { rootMode: diskFileMode(isWritable), readOnly: !isWritable, allowOther: isRoot, checksAccess: true };
  return {
    ...{ access, size: device.size },
    async show({ nbd, path }) {
      // A block device has whole sectors.
      if (nbd !== undefined && device.size >= nbd.sectorSize)
        return await (await import('./show-by-nbd.ts')).showByNbd(device, nbd);
      return await showByFuse(diskFile(device), { ...how, target: path });
    },
    flush: async () => await device.flush(),
    [Symbol.asyncDispose]: () => disk[Symbol.asyncDispose](),
  };
}
