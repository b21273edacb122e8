import { closeSync } from 'node:fs';
import type { FuseOperations } from '../../linux/fuse/fuse-operations.ts';
import { serveFuse } from '../../linux/fuse/fuse-session.ts';
import { type FuseMountOptions, mountFuse } from '../../linux/fuse/mount-fuse.ts';
import { unmountFuse } from '../../linux/fuse/unmount-fuse.ts';
import { mountTable } from '../../linux/mount-table.ts';
import type { Shown } from './held.ts';

/** Mounts what operations answer for on a file or directory. @throws VarveError as `mountFuse` does */
export async function showByFuse(operations: FuseOperations, how: FuseMountOptions): Promise<Shown> {
  const { target } = how;
  const fd = await mountFuse(how);
  return {
    path: target,
    device: mountTable().findLast((mount) => mount.target === target)?.device,
    async serve(onError) {
      // Where /dev/fuse fails, what was written is flushed all the same.
      await serveFuse({ fd, operations, onError }).catch(onError);
      closeSync(fd);
    },
    release: () => unmountFuse(target),
  };
}
