import { becomeIoFlusher } from '../../linux/io-flusher.ts';
import { diskFile, diskFileMode } from '../fuse/disk-file.ts';
import type { AttachedDiskRequest } from './attached-disk-request.ts';
import type { Held } from './held.ts';
import { openAttachedDisk } from './open-attached-disk.ts';

/** Opens a disk to be shown as a file. @throws VarveError as `openAttachedDisk` does */
export async function holdDisk(request: AttachedDiskRequest): Promise<Held> {
  becomeIoFlusher();
  const disk = await openAttachedDisk(request);
  const { access, device } = disk;
  const isWritable = device.supports.write;
  const isRoot = process.geteuid?.() === 0;
  return {
    ...{ operations: diskFile(device), access, size: device.size },
    how: { rootMode: diskFileMode(isWritable), readOnly: !isWritable, allowOther: isRoot, checksAccess: true },
    flush: async () => await device.flush(),
    [Symbol.asyncDispose]: () => disk[Symbol.asyncDispose](),
  };
}
