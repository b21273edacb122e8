/**
 * Why something in the world outside failed. Codes are stable: programs test for them, and each protocol maps them
 * onto its own errors by one table (see `exitStatuses` for the command line).
 */
export type ErrorCode =
  /** Stored bytes contradict themselves: a bad checksum, an impossible length, a truncated file. */
  | 'CORRUPT'
  /** Well formed, and more than this version knows how to do. */
  | 'UNSUPPORTED'
  | 'NOT_FOUND'
  | 'EXISTS'
  /** Somebody else changed it meanwhile. */
  | 'CONFLICT'
  /** Somebody else holds it. */
  | 'BUSY'
  | 'READ_ONLY'
  | 'NO_SPACE'
  | 'OUT_OF_RANGE'
  /** What the user asked for makes no sense: a bad name, a bad size, an unknown option. */
  | 'INVALID'
  | 'PERMISSION'
  | 'IO'
  /** Stopped on request: Ctrl-C, an `AbortSignal`. */
  | 'ABORTED';

/** A failure of the world (not of our code): `message` says what, which, why and, where it helps, what to do. */
export class VarveError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'VarveError';
    this.code = code;
  }
}

/** Whether `error` is a `VarveError` with one of `codes` (with any code, when none are given). */
export function isVarveError(error: unknown, ...codes: ErrorCode[]): error is VarveError {
  return error instanceof VarveError && (codes.length === 0 || codes.includes(error.code));
}

const codesByErrno: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'NOT_FOUND',
  ENOTDIR: 'NOT_FOUND',
  EEXIST: 'EXISTS',
  EACCES: 'PERMISSION',
  EPERM: 'PERMISSION',
  EROFS: 'READ_ONLY',
  ENOSPC: 'NO_SPACE',
  EDQUOT: 'NO_SPACE',
  EFBIG: 'NO_SPACE',
  EBUSY: 'BUSY',
  EADDRINUSE: 'BUSY',
  ETXTBSY: 'BUSY',
};

const reasonsByErrno: Readonly<Record<string, string>> = {
  ENOENT: 'no such file or directory',
  ENOTDIR: 'a part of the path is not a directory',
  EISDIR: 'it is a directory',
  EEXIST: 'it exists already',
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOSPC: 'no space left on the device',
  EDQUOT: 'the disk quota is exceeded',
  EFBIG: 'the file would be larger than the file system allows',
  EIO: 'input/output error',
  EADDRINUSE: 'another program listens there; end that, or use another port',
  EADDRNOTAVAIL: 'no network interface here has that address',
  EMFILE: 'too many open files',
};

/**
 * A `VarveError` for a failed system call, with the code that fits its errno: `cannot <doing>: <reason>`.
 * What is a `VarveError` already, or no system error at all, is returned as it is.
 */
export function systemError(doing: string, cause: unknown): unknown {
  if (!(cause instanceof Error) || cause instanceof VarveError) return cause;
  const { code, syscall } = cause as NodeJS.ErrnoException;
  // `fs.rmSync` leaves the code empty for what it has no name for, EIO among that.
  const errno = code === '' && syscall !== undefined ? 'EIO' : code;
  if (errno === undefined || !/^E[A-Z0-9]+$/.test(errno)) return cause;
  return new VarveError(codesByErrno[errno] ?? 'IO', `cannot ${doing}: ${reasonsByErrno[errno] ?? errno}`, { cause });
}
