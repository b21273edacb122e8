import { randomUUID } from 'node:crypto';
import { closeSync, openSync } from 'node:fs';
import { isVarveError } from '../../base/varve-error.ts';
import { attachLoop, type LoopOptions } from '../../linux/loop-device.ts';
import { rereadPartitions } from '../../linux/nbd-device.ts';
import type { ProcessIdentity } from '../../linux/process-identity.ts';
import type { AttachedDiskRequest } from './attached-disk-request.ts';
import { type Attachment, claimDirectory, diskPathIn, removeAttachment } from './attachment.ts';
import { closeAttachment } from './detach-disk.ts';
import { startHolder } from './start-holder.ts';

/** How a disk is attached. */
export interface AttachOptions {
  readonly runDirectory: string;
  /** Whether it goes when what is mounted from it is unmounted. */
  readonly forMount?: boolean;
  /** Whether it becomes an NBD device, and with sectors of how many bytes; a file otherwise, and where it has no whole sector. */
  readonly nbd?: { readonly sectorSize: number } | undefined;
  /** A process without which it is of no use to anybody: it is taken away when that has died. */
  readonly owner?: ProcessIdentity | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** A disk that was attached. */
export interface NewAttachment {
  readonly directory: string;
  readonly attachment: Attachment;
}

/**
 * Has a process of its own hold a disk and show it as a file, or as an NBD device.
 *
 * @throws VarveError as opening the disk and mounting do
 */
export async function attachDisk(disk: AttachedDiskRequest, options: AttachOptions): Promise<NewAttachment> {
  const { forMount = false, owner, runDirectory, signal } = options;
  const nbd = options.nbd && { name: `varve-${randomUUID()}`, ...options.nbd };
  const directory = claimDirectory(runDirectory, disk.disk);
  try {
    const path = diskPathIn(directory);
    closeSync(openSync(path, 'wx', 0o600));
    const { access } = disk;
    const draft = { disk: disk.disk, request: disk, path, nbd, access, since: Date.now(), forMount, owner };
    const attachment = await startHolder({ directory, attachment: draft }, signal);
    if (attachment.nbd !== undefined) await rereadPartitions(attachment.path);
    return { directory, attachment };
  } catch (error) {
    removeAttachment(directory);
    throw error;
  }
}

/**
 * Gives an attached disk a loop device, `/dev/loop3`.
 *
 * @throws VarveError as `attachLoop` does: `NOT_FOUND` where there are none, with any other the disk is attached no more
 */
export async function addLoop(
  { attachment, directory }: NewAttachment,
  { sectorSize }: Pick<LoopOptions, 'sectorSize'>,
): Promise<string> {
  try {
    await using loop = await attachLoop(attachment.path, { sectorSize, readOnly: attachment.access === 'read-only' });
    return loop.path;
  } catch (error) {
    if (!isVarveError(error, 'NOT_FOUND')) await closeAttachment(directory, attachment);
    throw error;
  }
}
