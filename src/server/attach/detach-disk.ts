import { setTimeout } from 'node:timers/promises';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { unmountFuse } from '../../linux/fuse/unmount-fuse.ts';
import { detachLoop } from '../../linux/loop-device.ts';
import { unmountFileSystem } from '../../linux/mount.ts';
import { disconnectNbdWhenUnused, findNbd, forgetPartitions } from '../../linux/nbd-device.ts';
import { isRunning } from '../../linux/process-identity.ts';
import type { AttachedDiskState } from './attached-disk.ts';
import { type Attachment, type NbdAttachment, readAttachment, removeAttachment } from './attachment.ts';
import { lossOf } from './sweep-dead.ts';

/** Programs that look at every new device, and loop devices that are only just let go of, need a moment. */
const busyAttempts = 40;
const busyPauseMs = 50;
const waitPauseMs = 5;
/**
 * Whoever uses what was taken from it by force may take any time, and so may a container that was made meanwhile: it has
 * copies of all mounts.
 */
const longestUnusedWaitMs = 3000;

/** How a disk is detached. */
export interface DetachOptions {
  /** Also where it is in use: it is taken from sight, and whoever uses it finishes with it. */
  readonly force?: boolean;
}

/**
 * Takes an attached disk away, with its loop devices: writes what they were given, and waits until its holder has flushed
 * and closed the disk.
 *
 * @returns false where somebody uses it by force's leave, or has it in a mount namespace of their own: its holder goes on
 *   until they are done
 * @throws VarveError `BUSY` where it is in use, and then all is as it was, but for loop devices that nobody uses; `IO`
 *   where the disk could not be written
 */
export async function detachDisk(disk: AttachedDiskState, { force = false }: DetachOptions = {}): Promise<boolean> {
  const { attachment, directory, loops, mounts } = disk;
  const [mount] = mounts;
  if (mount !== undefined && !force) {
    const advice = `varve unmount ${mount.target} first, or give --force`;
    throw new VarveError('BUSY', `cannot detach ${attachment.disk}: it is mounted on ${mount.target}; ${advice}`);
  }
  if (attachment.files === undefined) for (const { target } of mounts.toReversed()) await unmountByForce(target);
  for (const { path } of loops) await detachLoop(path, attachment.path, { sync: !force });
  return await closeAttachment(directory, attachment, { force });
}

/** The same for an attachment without loop devices, or whose are gone with what was mounted from them. */
export async function closeAttachment(
  directory: string,
  attachment: Attachment,
  { force = false }: DetachOptions = {},
): Promise<boolean> {
  if (attachment.nbd === undefined) await unmountPatiently(attachment, force);
  else await disconnectPatiently(directory, { ...attachment, nbd: attachment.nbd }, force);
  const isDone = await holderEnds(directory, attachment);
  if (isDone && attachment.nbd !== undefined) await forgetPartitions(attachment.path);
  return isDone;
}

/** Waits until the holder of what was unmounted has closed the disk. As `closeAttachment` does, but for `BUSY`. */
export async function holderEnds(directory: string, attachment: Attachment): Promise<boolean> {
  const start = Date.now();
  while (isRunning(attachment.holder)) {
    const isUsed = readAttachment(directory)?.closing !== true;
    if (isUsed && Date.now() - start > longestUnusedWaitMs) return false;
    await setTimeout(waitPauseMs);
  }
  const left = readAttachment(directory);
  if (left === undefined) return true;
  removeAttachment(directory);
  if (left.failure !== undefined) throw new VarveError('IO', lossOf(left));
  return true;
}

async function unmountPatiently({ disk, path }: Attachment, force: boolean): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await unmountFuse(path);
    } catch (error) {
      if (!isVarveError(error, 'BUSY')) throw error;
      if (attempt < busyAttempts) await setTimeout(busyPauseMs);
      else if (force) return await unmountFuse(path, { detach: true });
      else {
        const advice = 'close what uses it, or give --force';
        throw new VarveError('BUSY', `cannot detach ${disk}: ${path} or its loop device is in use; ${advice}`);
      }
    }
  }
}

/** The kernel disconnects the device when its last user has closed it. */
async function disconnectPatiently(
  directory: string,
  { disk, holder, nbd, path }: Attachment & { readonly nbd: NbdAttachment },
  force: boolean,
): Promise<void> {
  const { name } = nbd;
  await disconnectNbdWhenUnused(name, { sync: !force });
  if (force) return;
  const isOver = (): boolean =>
    !isRunning(holder) || readAttachment(directory)?.closing === true || findNbd(name) === undefined;
  for (let attempt = 1; attempt < busyAttempts && !isOver(); attempt += 1) await setTimeout(busyPauseMs);
  if (isOver()) return;
  await disconnectNbdWhenUnused(name, { isWanted: false });
  if (isOver()) return;
  throw new VarveError('BUSY', `cannot detach ${disk}: ${path} is in use; close what uses it, or give --force`);
}

async function unmountByForce(target: string): Promise<void> {
  try {
    await unmountFileSystem(target);
  } catch (error) {
    if (!isVarveError(error, 'BUSY')) throw error;
    await unmountFileSystem(target, { detach: true });
  }
}
