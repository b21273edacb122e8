import { constants } from 'node:os';
import { errnoError, libc } from './libc.ts';

/*
 * Source: flock(2).
 */
const operations = { shared: 1, exclusive: 2 } as const;
const notWaiting = 4;
const unlock = 8;

/**
 * Locks an open file if that can be done at once, and says whether it was. Many may hold it shared, one exclusive;
 * a holder may change between the two, and loses the lock for a moment while it does. The lock belongs to the open
 * file: it ends with `unlockFile`, when `fd` is closed, or when the process dies however it dies. `path` names the
 * file in errors.
 *
 * @throws VarveError by errno; `UNSUPPORTED` on other systems than Linux
 */
export function lockFile(fd: number, mode: 'shared' | 'exclusive', path = `file ${fd}`): boolean {
  const { flock, errno } = libc();
  if (flock(fd, operations[mode] + notWaiting) === 0) return true;
  const number = errno();
  if (number === constants.errno.EWOULDBLOCK) return false;
  throw errnoError(`lock ${path}`, 'flock', number);
}

/** Gives back what `lockFile` got; unlocking what is not locked is fine. */
export function unlockFile(fd: number, path = `file ${fd}`): void {
  const { flock, errno } = libc();
  if (flock(fd, unlock) !== 0) throw errnoError(`unlock ${path}`, 'flock', errno());
}
