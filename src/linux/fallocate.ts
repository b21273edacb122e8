import { constants } from 'node:os';
import { errnoError, libc } from './libc.ts';

/*
 * Source: fallocate(2), linux/falloc.h.
 */
const keepSize = 0x01;
const punchHoleMode = 0x02;
const zeroRangeMode = 0x10;

/** File systems may answer a signal with EINTR half way; every call goes on where the last one stopped. */
const maximumAttempts = 100;

/**
 * Gives the space of a range of a file back; it reads as zeros afterwards, and the file's size stays. Offset and
 * length in bytes, length over 0. False where the file system cannot do it, and then nothing has changed. `path`
 * names the file in errors.
 *
 * @throws VarveError by errno: `PERMISSION`, `NO_SPACE`, `IO`; `UNSUPPORTED` on other systems than Linux
 */
export function punchHole(fd: number, offset: number, length: number, path = `file ${fd}`): boolean {
  return fallocate(fd, punchHoleMode + keepSize, offset, length, `punch a hole in ${path}`);
}

/** Whether a file of `size` bytes, which is open for writing, can have holes. Asked of what lies behind its end. */
export function canHaveHoles(fd: number, size: number, path = `file ${fd}`): boolean {
  return punchHole(fd, size, 4096, path);
}

/** Like `punchHole`, but the space stays allocated, so that writing there later cannot fail for want of it. */
export function zeroRange(fd: number, offset: number, length: number, path = `file ${fd}`): boolean {
  return fallocate(fd, zeroRangeMode + keepSize, offset, length, `zero a range of ${path}`);
}

/**
 * Allocates space for a range of a file, whose size grows to hold the range and whose content stays. False where the
 * file system cannot do it.
 *
 * @throws VarveError as `punchHole` does
 */
export function allocate(fd: number, offset: number, length: number, path = `file ${fd}`): boolean {
  return fallocate(fd, 0, offset, length, `allocate space for ${path}`);
}

function fallocate(fd: number, mode: number, offset: number, length: number, doing: string): boolean {
  const { fallocate: call, errno } = libc();
  for (let attempt = 1; ; attempt += 1) {
    if (call(fd, mode, offset, length) === 0) return true;
    const number = errno();
    if (number === constants.errno.EOPNOTSUPP || number === constants.errno.ENOSYS) return false;
    if (number !== constants.errno.EINTR || attempt === maximumAttempts) throw errnoError(doing, 'fallocate', number);
  }
}
