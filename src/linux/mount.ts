import { constants } from 'node:os';
import { VarveError } from '../base/varve-error.ts';
import { errnoError, libc } from './libc.ts';

/*
 * Source: mount(2), umount(2), linux/mount.h.
 */
export const mountFlags = { readOnly: 1, noSetUserId: 2, noDevices: 4 } as const;
const detachFlag = 2;

/** What is mounted where, as mount(2) has it. */
export interface MountRequest {
  readonly source: string;
  /** The mount point. */
  readonly target: string;
  /** The file system's name; left out for a bind mount. */
  readonly type?: string;
  /** A sum of `mountFlags`. */
  readonly flags?: number;
  /** Options of the file system: `a,b=c`. */
  readonly data?: string;
}

/** Mounts a file system. @throws VarveError by errno */
export function mountFileSystem({ data, flags = 0, source, target, type }: MountRequest): void {
  const { errno, mount } = libc();
  if (mount(source, target, type ?? null, flags, data ?? null) === -1) {
    throw errnoError(`mount ${source} on ${target}`, 'mount', errno());
  }
}

/**
 * Unmounts what is mounted last on `target`. With `detach` it is gone from there at once, and ends when nobody uses it any
 * more. Nothing mounted there is fine. It happens in Node's thread pool: this process may itself have to answer for what is
 * written by that.
 *
 * @throws VarveError `BUSY` where it is in use, and others by errno
 */
export async function unmountFileSystem(target: string, { detach = false } = {}): Promise<void> {
  const number = -(await libc().umount2Later(target, detach ? detachFlag : 0));
  if (number === 0 || number === constants.errno.EINVAL || number === constants.errno.ENOENT) return;
  if (number === constants.errno.EBUSY) {
    const advice = 'close the files and leave the directories in it';
    throw new VarveError('BUSY', `cannot unmount ${target}: it is in use; ${advice}`);
  }
  throw errnoError(`unmount ${target}`, 'umount2', number);
}
