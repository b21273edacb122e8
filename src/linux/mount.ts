import { constants } from 'node:os';
import { VarveError } from '../base/varve-error.ts';
import { errnoError, libc } from './libc.ts';

/*
 * Source: mount(2), umount(2), linux/mount.h.
 */
export const mountFlags = { readOnly: 1, noSetUserId: 2, noDevices: 4, bind: 4096 } as const;
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
 * more. Nothing mounted there is fine.
 *
 * @throws VarveError `BUSY` where it is in use, and others by errno
 */
export function unmountFileSystem(target: string, { detach = false } = {}): void {
  const { errno, umount2 } = libc();
  if (umount2(target, detach ? detachFlag : 0) !== -1) return;
  const number = errno();
  if (number === constants.errno.EINVAL || number === constants.errno.ENOENT) return;
  if (number === constants.errno.EBUSY) {
    throw new VarveError(
      'BUSY',
      `cannot unmount ${target}: it is in use; close the files and leave the directories in it`,
    );
  }
  throw errnoError(`unmount ${target}`, 'umount2', number);
}

/**
 * The same for a file system that this very process serves, and has to go on serving meanwhile. False where it is in
 * use, or cannot be unmounted for another reason.
 */
export async function unmountOwnFileSystem(target: string): Promise<boolean> {
  return (await libc().umount2Later(target, 0)) === 0;
}
