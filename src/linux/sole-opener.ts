/*
 * A write lease on a file is only given while nobody else has the file open, by whatever name and in whatever process.
 *
 * Source: fcntl(2), F_SETLEASE, F_SETSIG; asm-generic/fcntl.h.
 */
import { constants } from 'node:os';
import { isLinux, libc } from './libc.ts';

const setSignalCommand = 10;
const setLeaseCommand = 1024;
const writeLease = 1n;
const noLease = 2n;

/**
 * Whether `fd` is the only open descriptor of its file in the whole system, at this moment. False also where that cannot
 * be found out: on other systems, on file systems without leases, for files that belong to somebody else.
 */
export function isSoleOpener(fd: number): boolean {
  if (!isLinux) return false;
  const { fcntl } = libc();
  // Whoever opens the file in this very moment sends us a signal, which must be one that is ignored.
  if (fcntl(fd, setSignalCommand, BigInt(constants.signals.SIGURG)) === -1) return false;
  const isAlone = fcntl(fd, setLeaseCommand, writeLease) === 0;
  if (isAlone) fcntl(fd, setLeaseCommand, noLease);
  return isAlone;
}
