import { constants } from 'node:os';
import { type ErrorCode, isVarveError } from '../../base/varve-error.ts';

const { errno } = constants;

/**
 * An answer that is no failure: a system has no such call, which the kernel remembers; a file has no such attribute, which
 * `ls -l` asks of each. Those that come often are made once, as finding out where it happened takes longer than all else.
 */
export class FuseErrno extends Error {
  readonly errno: number;

  constructor(errno: number) {
    super(`errno ${errno}`);
    this.errno = errno;
  }
}

/** What programs are told when a file system fails with a code. */
const errnoOf: Readonly<Record<ErrorCode, number>> = {
  INVALID: errno.EINVAL,
  NOT_FOUND: errno.ENOENT,
  EXISTS: errno.EEXIST,
  CONFLICT: errno.ESTALE,
  BUSY: errno.EBUSY,
  READ_ONLY: errno.EROFS,
  NO_SPACE: errno.ENOSPC,
  OUT_OF_RANGE: errno.EINVAL,
  CORRUPT: errno.EIO,
  UNSUPPORTED: errno.EOPNOTSUPP,
  PERMISSION: errno.EPERM,
  IO: errno.EIO,
  ABORTED: errno.EINTR,
};

/** The number that a program gets for `error`; EIO for what is no failure of the world, but of ours. */
export function fuseErrno(error: unknown): number {
  if (error instanceof FuseErrno) return error.errno;
  return isVarveError(error) ? errnoOf[error.code] : errno.EIO;
}

/** Whether only the log can tell what went wrong: a program is told no more than EIO. */
export function isUnexplained(error: unknown): boolean {
  return !(error instanceof FuseErrno) && fuseErrno(error) === errno.EIO;
}
