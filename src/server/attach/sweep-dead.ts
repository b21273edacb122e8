import { statSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { fuseSource } from '../../linux/fuse/fuse-source.ts';
import { unmountFuse } from '../../linux/fuse/unmount-fuse.ts';
import { detachLoop, loopsOf } from '../../linux/loop-device.ts';
import { unmountFileSystem } from '../../linux/mount.ts';
import { mountTable } from '../../linux/mount-table.ts';
import { disconnectNbd, findNbd, forgetPartitions } from '../../linux/nbd-device.ts';
import { isRunning, type ProcessIdentity } from '../../linux/process-identity.ts';
import { log } from '../../log/log.ts';
import {
  type Attachment,
  attachmentDirectories,
  diskPathIn,
  type NbdAttachment,
  removeAttachment,
} from './attachment.ts';

/** A directory without a record is one that somebody is only just making, or died while making. */
const longestMakingMs = 60_000;
/** Nothing keeps a process longer that was killed, unless it waits for a disk. */
const longestEndMs = 3000;
const endPauseMs = 10;

/**
 * Takes away what is left of attachments whose holders, or owners, are no more: mounts, loop devices, the file that answered. Whoever
 * still uses them gets I/O errors, as since the holder's end.
 *
 * @returns what users should know of it, a sentence each
 */
export async function sweepDead(runDirectory: string): Promise<string[]> {
  const remarks: string[] = [];
  for (const { attachment, directory } of attachmentDirectories(runDirectory)) {
    const isOrphan = attachment?.owner !== undefined && !isRunning(attachment.owner);
    if (isOrphan) await end(attachment.holder);
    if (attachment === undefined ? !isOld(directory) : isRunning(attachment.holder)) continue;
    if (isOrphan) log(1, '%s was taken away, as what it was attached for is no more', attachment.disk);
    else if (attachment?.failure !== undefined) remarks.push(lossOf(attachment));
    else if (attachment !== undefined) remarks.push(`what held ${attachment.disk} died; what it left was taken away`);
    if (attachment?.nbd !== undefined) await takeNbdAway(attachment.nbd, attachment.path);
    else if (attachment?.files === undefined) await takeAway(attachment?.path ?? diskPathIn(directory));
    else await takeFilesAway(attachment);
    removeAttachment(directory);
  }
  return remarks;
}

/** Ends a holder that answers for a disk which is gone, or of no use to anybody. */
async function end(holder: ProcessIdentity): Promise<void> {
  const start = Date.now();
  try {
    if (isRunning(holder)) process.kill(holder.pid, 'SIGKILL');
  } catch (error) {
    // It has just ended by itself.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
  while (isRunning(holder) && Date.now() - start < longestEndMs) await setTimeout(endPauseMs);
}

/** What its user must know of a disk that could not be closed in good order. */
export function lossOf({ disk, failure }: Attachment): string {
  return `${disk} could not be closed in good order, and may lack what was written last: ${failure}`;
}

/**
 * Its guard has disconnected it already, most of the time; the kernel knows it by its name as long as it is used, and its
 * partitions until it is looked at again.
 */
async function takeNbdAway({ name }: NbdAttachment, path: string): Promise<void> {
  const found = findNbd(name);
  if (found !== undefined) {
    await disconnectNbd(found.path);
    await takeAway(found.path, found.numbers);
  }
  await forgetPartitions(found?.path ?? path);
}

async function takeAway(path: string, ownNumbers: readonly string[] = []): Promise<void> {
  const loops = loopsOf(path);
  const numbers = new Set([...ownNumbers, ...loops.flatMap((loop) => loop.numbers)]);
  const mounts = mountTable().reverse();
  for (const { device, target } of mounts) {
    if (numbers.has(device)) await unmountFileSystem(target, { detach: true });
  }
  for (const loop of loops) await detachLoop(loop.path, path, { sync: false });
  for (const { target } of mounts) if (target === path) await unmountFuse(path, { detach: true });
}

/** Only by its number: who has mounted something else on the directory keeps it. */
async function takeFilesAway({ device }: Attachment): Promise<void> {
  const mounts = mountTable().filter((mount) => mount.device === device && mount.source === fuseSource);
  for (const { target } of mounts.reverse()) await unmountFuse(target, { detach: true });
}

function isOld(directory: string): boolean {
  const made = statSync(directory, { throwIfNoEntry: false })?.mtimeMs;
  return made !== undefined && Date.now() - made > longestMakingMs;
}
