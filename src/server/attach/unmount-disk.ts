import { realpathSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { loopsOf } from '../../linux/loop-device.ts';
import { unmountFileSystem } from '../../linux/mount.ts';
import { mountTable } from '../../linux/mount-table.ts';
import { type AttachedDiskState, attachedDisks } from './attached-disk.ts';
import { closeAttachment } from './detach-disk.ts';

/** The kernel lets go of a loop device a little after the file system that was on it. */
const loopAttempts = 100;
const loopPauseMs = 10;

/**
 * Unmounts what `mountDisk` mounted on a directory, and detaches a disk that was attached for that alone. Returns when all
 * that was written is in the disk.
 *
 * @throws VarveError `INVALID` for what is not mounted so, `BUSY` while it is in use, `IO` where the disk could not be written
 */
export async function unmountDisk(directory: string, runDirectory: string): Promise<AttachedDiskState> {
  const target = realPath(directory);
  const device = mountTable().findLast((mount) => mount.target === target)?.device;
  const disk = attachedDisks(runDirectory).find(({ mounts }) => mounts.some((mount) => mount.device === device));
  if (device === undefined || disk === undefined) {
    throw new VarveError('INVALID', `cannot unmount ${directory}: nothing is mounted there by varve mount`);
  }
  unmountFileSystem(target);
  const { attachment, mounts } = disk;
  if (attachment.forMount && mounts.length === 1) {
    await loopsGone(attachment.path);
    await closeAttachment(disk.directory, attachment);
  }
  return disk;
}

async function loopsGone(path: string): Promise<void> {
  for (let attempt = 1; attempt < loopAttempts && loopsOf(path).length > 0; attempt += 1) await setTimeout(loopPauseMs);
}

function realPath(directory: string): string {
  try {
    return realpathSync(directory);
  } catch (error) {
    throw systemError(`unmount ${directory}`, error);
  }
}
