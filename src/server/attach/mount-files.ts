import { sep } from 'node:path';
import { VarveError } from '../../base/varve-error.ts';
import type { NewAttachment } from './attach-disk.ts';
import type { AttachedDiskRequest } from './attached-disk-request.ts';
import { claimDirectory, type MountedFiles, removeAttachment } from './attachment.ts';
import { startHolder } from './start-holder.ts';

/** Which files of a disk are mounted, and where. */
export interface MountFilesRequest {
  readonly disk: AttachedDiskRequest;
  readonly files: MountedFiles;
  /** An existing directory, by its full path without symlinks. */
  readonly directory: string;
  readonly runDirectory: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Mounts files of a disk, read by our own file systems in a process of its own, without root and without the kernel's. It
 * goes with `unmountDisk`.
 *
 * @throws VarveError as `holdFiles` and `mountFuse` do
 */
export async function mountFiles(request: MountFilesRequest): Promise<NewAttachment> {
  const { disk, files, runDirectory, signal, directory: path } = request;
  for (const needed of [disk.storePath, runDirectory]) refuseToHide(needed, path);
  const directory = claimDirectory(runDirectory, disk.disk);
  try {
    const { access } = disk;
    const attachment = { disk: disk.disk, request: disk, path, files, access, since: Date.now(), forMount: true };
    return { directory, attachment: await startHolder({ directory, attachment }, signal) };
  } catch (error) {
    removeAttachment(directory);
    throw error;
  }
}

/** A holder that looks for its own files below its mount would wait for itself. */
function refuseToHide(needed: string, directory: string): void {
  if (needed !== directory && !needed.startsWith(directory.endsWith(sep) ? directory : directory + sep)) return;
  throw new VarveError(
    'INVALID',
    `cannot mount on ${directory}: it would hide ${needed}, which is needed; mount elsewhere`,
  );
}
