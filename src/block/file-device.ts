import { constants, type Stats } from 'node:fs';
import { type FileHandle, open, stat, unlink } from 'node:fs/promises';
import { systemError, VarveError } from '../base/varve-error.ts';
import { diskUsers } from '../linux/disk-users.ts';
import { lockDisk } from '../linux/lock-disk.ts';
import type { BlockDevice } from './block-device.ts';
import { hostDevice } from './host-device.ts';
import { regularFileDevice } from './regular-file-device.ts';

/** How `openFileDevice` opens. */
export interface FileDeviceOptions {
  /** Nothing can be written, and the file is opened so that nothing could be. */
  readonly readOnly?: boolean;
  /** Makes the file, with this size in bytes and no space allocated; that it exists already is an error. */
  readonly createSize?: number;
  /**
   * Keeps out, and away from, other programs that write to it, QEMU among them; and where it is to be written, also those
   * that read it and keep others from writing.
   */
  readonly lock?: boolean;
  /** What errors call it; the path where nothing is given. */
  readonly label?: string;
}

/**
 * Opens a file, or a block device of this machine, as a device. Its size is what it is now; a regular file is a
 * `ResizableDevice`. Reads and writes are
 * synchronous; `flush` is `fdatasync`, through the thread pool.
 *
 * @throws VarveError `NOT_FOUND`, `EXISTS`, `PERMISSION`, `READ_ONLY`, `IO` by errno; `INVALID` for what is no disk: a
 *   directory, a pipe, a character device; `BUSY` for a host device that is to be written and is mounted or in use, and
 *   where `lock` finds others
 */
export async function openFileDevice(path: string, options: FileDeviceOptions = {}): Promise<BlockDevice> {
  const { createSize, readOnly = false, lock = false, label = path } = options;
  const doing = `${createSize === undefined ? 'open' : 'create'} ${label}`;
  try {
    if (createSize !== undefined) return await create(path, createSize, readOnly, label);
    const stats = await stat(path);
    refuseOtherKinds(stats, doing);
    // On a block device, O_EXCL without O_CREAT is refused while it is mounted or part of something else.
    const flags = stats.isBlockDevice() ? constants.O_RDWR | constants.O_EXCL : constants.O_RDWR;
    const handle = await open(path, readOnly ? constants.O_RDONLY : flags).catch((error) => {
      throw stats.isBlockDevice() && error.code === 'EBUSY' ? busyError(doing, error) : error;
    });
    return await closingOnFailure(handle, () => {
      if (lock) requireLock(handle, path, readOnly, doing);
      return fromHandle(handle, readOnly, label, doing);
    });
  } catch (error) {
    throw systemError(doing, error);
  }
}

async function create(path: string, size: number, readOnly: boolean, label: string): Promise<BlockDevice> {
  const handle = await open(path, 'wx+');
  return closingOnFailure(handle, async () => {
    try {
      await handle.truncate(size);
    } catch (error) {
      await unlink(path);
      throw error;
    }
    return regularFileDevice({ handle, size, blockSize: (await handle.stat()).blksize, readOnly, label });
  });
}

/** Looks again, at what was opened: the path may be something else by now. */
async function fromHandle(handle: FileHandle, readOnly: boolean, label: string, doing: string): Promise<BlockDevice> {
  const stats = await handle.stat();
  refuseOtherKinds(stats, doing);
  if (stats.isBlockDevice()) return hostDevice({ handle, readOnly, label });
  return regularFileDevice({ handle, size: stats.size, blockSize: stats.blksize, readOnly, label });
}

function busyError(doing: string, cause: unknown): VarveError {
  const advice = 'unmount it first, or open it read-only';
  return new VarveError('BUSY', `cannot ${doing}: it is mounted or otherwise in use; ${advice}`, { cause });
}

/** @throws VarveError `BUSY` */
function requireLock(handle: FileHandle, path: string, readOnly: boolean, doing: string): void {
  const conflict = lockDisk(handle.fd, readOnly ? 'read' : 'write', path);
  if (conflict === undefined) return;
  const users = diskUsers(path).map(({ pid, program }) => `${program} (process ${pid})`);
  const who = users.length === 0 ? 'another program' : users.join(', ');
  const what =
    conflict === 'others write' ? `${who} has it open for writing` : `${who} reads it and counts on its staying`;
  throw new VarveError('BUSY', `cannot ${doing}: ${what}`);
}

async function closingOnFailure<T>(handle: FileHandle, use: () => Promise<T>): Promise<T> {
  try {
    return await use();
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** Before opening, because opening alone waits at a pipe and rewinds a tape. */
function refuseOtherKinds(stats: Stats, doing: string): void {
  if (stats.isFile() || stats.isBlockDevice()) return;
  throw new VarveError('INVALID', `cannot ${doing}: it is ${kindOf(stats)}, not a disk`);
}

function kindOf(stats: Stats): string {
  if (stats.isDirectory()) return 'a directory';
  if (stats.isFIFO()) return 'a pipe';
  if (stats.isSocket()) return 'a socket';
  return 'a character device';
}
