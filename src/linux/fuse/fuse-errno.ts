import { constants } from 'node:os';
import { type ErrorCode, isVarveError } from '../../base/varve-error.ts';

const { errno } = constants;

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
  return isVarveError(error) ? errnoOf[error.code] : errno.EIO;
}

/** Whether only the log can tell what went wrong: a program is told no more than EIO. */
export function isUnexplained(error: unknown): boolean {
  return fuseErrno(error) === errno.EIO;
}
