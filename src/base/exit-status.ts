import { type ErrorCode, VarveError } from './varve-error.ts';

/**
 * The command line's exit status for each error code, documented in docs/exit-status.md. 0 is success and 1 is a
 * comparison's "they differ"; 2 is wrong usage, as everywhere; 130 is what shells give for Ctrl-C.
 */
export const exitStatuses: Readonly<Record<ErrorCode, number>> = {
  INVALID: 2,
  NOT_FOUND: 3,
  EXISTS: 4,
  CONFLICT: 5,
  BUSY: 6,
  READ_ONLY: 7,
  NO_SPACE: 8,
  OUT_OF_RANGE: 9,
  CORRUPT: 10,
  UNSUPPORTED: 11,
  PERMISSION: 12,
  IO: 13,
  ABORTED: 130,
};

/** The status for a failure that is no `VarveError`: a bug of ours. */
export const internalErrorStatus = 70;

/** The exit status that a command ends with when it throws `error`. */
export function exitStatusOf(error: unknown): number {
  return error instanceof VarveError ? exitStatuses[error.code] : internalErrorStatus;
}
