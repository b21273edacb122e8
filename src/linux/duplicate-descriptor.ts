import { errnoError, libc } from './libc.ts';

/*
 * Source: fcntl(2).
 */
const duplicateClosingOnExec = 1030;

/**
 * Another descriptor of what is open as `fd`, which is closed apart from it, and which no program that is started gets.
 *
 * @throws VarveError by errno; `UNSUPPORTED` on other systems than Linux
 */
export function duplicateDescriptor(fd: number): number {
  const { errno, fcntl } = libc();
  const duplicate = fcntl(fd, duplicateClosingOnExec, 0n);
  if (duplicate === -1) throw errnoError(`duplicate descriptor ${fd}`, 'fcntl', errno());
  return duplicate;
}
