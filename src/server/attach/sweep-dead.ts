import { statSync } from 'node:fs';
import { unmountFuse } from '../../linux/fuse/unmount-fuse.ts';
import { detachLoop, loopsOf } from '../../linux/loop-device.ts';
import { unmountFileSystem } from '../../linux/mount.ts';
import { mountTable } from '../../linux/mount-table.ts';
import { isRunning } from '../../linux/process-identity.ts';
import { type Attachment, attachmentDirectories, diskPathIn, removeAttachment } from './attachment.ts';

/** A directory without a record is one that somebody is only just making, or died while making. */
const longestMakingMs = 60_000;

/**
 * Takes away what is left of attachments whose holders are no more: mounts, loop devices, the file that answered. Whoever
 * still uses them gets I/O errors, as since the holder's end.
 *
 * @returns what users should know of it, a sentence each
 */
export async function sweepDead(runDirectory: string): Promise<string[]> {
  const remarks: string[] = [];
  for (const { attachment, directory } of attachmentDirectories(runDirectory)) {
    if (attachment === undefined ? !isOld(directory) : isRunning(attachment.holder)) continue;
    if (attachment?.failure !== undefined) remarks.push(lossOf(attachment));
    else if (attachment !== undefined) remarks.push(`what held ${attachment.disk} died; what it left was taken away`);
    await takeAway(attachment?.path ?? diskPathIn(directory));
    removeAttachment(directory);
  }
  return remarks;
}

/** What its user must know of a disk that could not be closed in good order. */
export function lossOf({ disk, failure }: Attachment): string {
  return `${disk} could not be closed in good order, and may lack what was written last: ${failure}`;
}

async function takeAway(path: string): Promise<void> {
  const loops = loopsOf(path);
  const numbers = new Set(loops.flatMap((loop) => loop.numbers));
  const mounts = mountTable().reverse();
  for (const { device, target } of mounts) {
    if (numbers.has(device)) await unmountFileSystem(target, { detach: true });
  }
  for (const loop of loops) await detachLoop(loop.path, path, { sync: false });
  for (const { target } of mounts) if (target === path) await unmountFuse(path, { detach: true });
}

function isOld(directory: string): boolean {
  const made = statSync(directory, { throwIfNoEntry: false })?.mtimeMs;
  return made !== undefined && Date.now() - made > longestMakingMs;
}
