import type { AttachedDiskState } from '../../server/attach/attached-disk.ts';

/** An attached disk, as `--json` tells of it. */
export function attachmentJson({ attachment, loops, mounts }: AttachedDiskState): object {
  const { access, disk, holder, nbd, path, since, size } = attachment;
  return {
    ...{
      disk,
      path: nbd === undefined ? (loops[0]?.path ?? path) : path,
      file: path,
      access,
      size,
      holder: holder.pid,
    },
    since: new Date(since).toISOString(),
    loops: loops.map((loop) => ({ path: loop.path, offset: loop.offset })),
    mounts: mounts.map(({ root, target, type }) => ({ directory: target, type, root })),
  };
}
