import { realpath } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { unmountFuse } from '../../linux/fuse/unmount-fuse.ts';
import { loopsOf } from '../../linux/loop-device.ts';
import { unmountFileSystem } from '../../linux/mount.ts';
import { mountTable } from '../../linux/mount-table.ts';
import { attachedDisks } from './attached-disk.ts';
import type { Attachment } from './attachment.ts';
import { closeAttachment, holderEnds } from './detach-disk.ts';

/** The kernel lets go of a loop device a little after the file system that was on it. */
const loopAttempts = 100;
const loopPauseMs = 10;

/** What became of a disk that was mounted. */
export interface UnmountedDisk {
  readonly attachment: Attachment;
  /** Whether somebody has it still, in a mount namespace of their own: its holder goes on until they are done. */
  readonly isUsed: boolean;
}

/**
 * Unmounts what `mountDisk` mounted on a directory, and detaches a disk that was attached for that alone. Returns when all
 * that was written is in the disk.
 *
 * @throws VarveError `INVALID` for what is not mounted so, `BUSY` while it is in use, `IO` where the disk could not be written
 */
export async function unmountDisk(directory: string, runDirectory: string): Promise<UnmountedDisk> {
  const target = await realPath(directory);
  const device = mountTable().findLast((mount) => mount.target === target)?.device;
  const disk = attachedDisks(runDirectory).find(({ mounts }) => mounts.some((mount) => mount.device === device));
  if (device === undefined || disk === undefined) {
    throw new VarveError('INVALID', `cannot unmount ${directory}: nothing is mounted there by varve mount`);
  }
  const { attachment, mounts } = disk;
  if (attachment.files === undefined) await unmountFileSystem(target);
  else await unmountFuse(target);
  if (attachment.files !== undefined && mounts.length === 1) {
    return { attachment, isUsed: !(await holderEnds(disk.directory, attachment)) };
  }
  if (!attachment.forMount || mounts.length > 1) return { attachment, isUsed: false };
  await loopsGone(attachment.path);
  // What else could use it would have kept it from being unmounted here.
  return { attachment, isUsed: !(await closeAttachment(disk.directory, attachment, { force: true })) };
}

async function loopsGone(path: string): Promise<void> {
  for (let attempt = 1; attempt < loopAttempts && loopsOf(path).length > 0; attempt += 1) await setTimeout(loopPauseMs);
}

async function realPath(directory: string): Promise<string> {
  try {
    return await realpath(directory);
  } catch (error) {
    throw systemError(`unmount ${directory}`, error);
  }
}
