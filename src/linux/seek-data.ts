import { constants } from 'node:os';
import { errnoError, libc } from './libc.ts';

/*
 * Source: lseek(2). Both calls move the file's position, which nobody here reads by.
 */
const seekDataWhence = 3;
const seekHoleWhence = 4;

/**
 * Where the first data of a file at or after byte `offset` starts; undefined where none follows: a hole up to the
 * end, or `offset` is at or past the end. `path` names the file in errors.
 *
 * @throws VarveError `IO` and others by errno; `UNSUPPORTED` on other systems than Linux
 */
export function seekData(fd: number, offset: number, path = `file ${fd}`): number | undefined {
  return seek(fd, offset, seekDataWhence, path);
}

/** Like `seekData` for the first hole; the end of the file counts as one. */
export function seekHole(fd: number, offset: number, path = `file ${fd}`): number | undefined {
  return seek(fd, offset, seekHoleWhence, path);
}

function seek(fd: number, offset: number, whence: number, path: string): number | undefined {
  const { lseek, errno } = libc();
  const found = lseek(fd, offset, whence);
  if (found !== -1) return found;
  const number = errno();
  if (number === constants.errno.ENXIO) return undefined;
  throw errnoError(`look for holes in ${path}`, 'lseek', number);
}
