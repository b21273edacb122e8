import { mkdirSync, rmdirSync } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { attachLoop } from '../../linux/loop-device.ts';
import { unmountFileSystem } from '../../linux/mount.ts';
import { readPartitionTable } from '../../partition/read-partition-table.ts';
import { attachDisk, type NewAttachment } from './attach-disk.ts';
import { attachedDisks } from './attached-disk.ts';
import type { AttachedDiskRequest } from './attached-disk-request.ts';
import type { Attachment } from './attachment.ts';
import { closeAttachment } from './detach-disk.ts';
import { openPatientFile } from './patient-file.ts';
import { requirePartition } from './require-partition.ts';
import { runMount } from './run-mount.ts';

/** What of a disk is mounted, where and how. */
export interface MountDiskRequest {
  readonly disk: AttachedDiskRequest;
  /** A directory in the file system that is to be seen; all of it where nothing is given. */
  readonly inner?: string | undefined;
  /** An existing directory. */
  readonly directory: string;
  /** The number of the partition that holds the file system. */
  readonly partition?: number | undefined;
  /** Where in the disk the file system begins, in bytes. */
  readonly offset?: number | undefined;
  /** The file system's name; the system finds out where nothing is given. */
  readonly type?: string | undefined;
  /** As `mount -o` takes them. */
  readonly options?: string | undefined;
  readonly runDirectory: string;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Mounts a file system of a disk by the kernel's own means. The disk is attached for it, unless it is already, and goes
 * with `unmountDisk`.
 *
 * @throws VarveError `PERMISSION` for who is not root, `NOT_FOUND` for a partition or directory that is not there, as
 *   `attachDisk` does, and `IO` with what `mount` says
 */
export async function mountDisk(request: MountDiskRequest): Promise<NewAttachment> {
  if (process.geteuid?.() !== 0) {
    const advice = '--read-only mounts it for you, varve attach gives you the disk as a file';
    throw new VarveError('PERMISSION', `cannot mount ${request.disk.disk}: only root can; ${advice}`);
  }
  const known = attachedDisks(request.runDirectory).find(({ attachment }) =>
    isSameRequest(attachment.request, request.disk),
  );
  const { runDirectory, signal } = request;
  const made = known ?? (await attachDisk(request.disk, { runDirectory, forMount: true, signal }));
  try {
    await mountAttached(made, request);
    return made;
  } catch (error) {
    if (known === undefined) await closeAttachment(made.directory, made.attachment);
    throw error;
  }
}

/** Whether two requests open the same disk in the same way; either may have been JSON meanwhile. */
function isSameRequest(one: AttachedDiskRequest, other: AttachedDiskRequest): boolean {
  return isDeepStrictEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)));
}

async function mountAttached({ attachment, directory }: NewAttachment, request: MountDiskRequest): Promise<void> {
  const readOnly = attachment.access === 'read-only';
  const place = await placeOf(attachment, request);
  await using loop = await attachLoop(attachment.path, { ...place, readOnly, autoClear: true });
  const how = { source: loop.path, type: request.type, options: request.options, readOnly };
  if (request.inner === undefined) return await runMount({ ...how, target: request.directory });
  const whole = join(directory, `whole-${basename(loop.path)}`);
  mkdirSync(whole, { mode: 0o700 });
  try {
    await runMount({ ...how, target: whole });
    try {
      const source = await insideOf(whole, request.inner, request.disk.disk);
      await runMount({ source, target: request.directory, options: 'bind', readOnly: false });
    } finally {
      await unmountFileSystem(whole, { detach: true });
    }
  } finally {
    rmdirSync(whole);
  }
}

/** Where in the disk the file system is, in bytes. */
async function placeOf(
  { path, size }: Attachment,
  { disk, offset, partition }: MountDiskRequest,
): Promise<{ readonly offset?: number | undefined; readonly length?: number | undefined }> {
  if (partition === undefined) return { offset };
  await using device = await openPatientFile(path, size);
  const table = await readPartitionTable(device, { name: disk.disk });
  const { offset: start, length } = requirePartition(table?.partitions, partition, disk.disk);
  return { offset: start, length };
}

/** Symbolic links inside a disk are whoever's who made it: none may lead out of it. */
async function insideOf(root: string, inner: string, disk: string): Promise<string> {
  try {
    const path = await realpath(join(root, inner));
    if (path === root || path.startsWith(`${root}/`)) return path;
  } catch (error) {
    throw systemError(`mount ${disk}:${inner}`, error);
  }
  throw new VarveError('PERMISSION', `cannot mount ${disk}:${inner}: a symbolic link there leads out of the disk`);
}
