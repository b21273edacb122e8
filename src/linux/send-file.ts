import { libc } from './libc.ts';

/*
 * Source: sendfile(2).
 */

/** The call moves it on; nobody reads that. */
const position = new BigInt64Array(1);

/**
 * Sends up to `length` bytes of file `fd` from byte `offset` on into a socket, without a copy in between, and gives how
 * many it took: fewer where it takes no more now or the file ends, none where it failed. The socket must not wait.
 *
 * @throws VarveError `UNSUPPORTED` on other systems than Linux
 */
export function sendFile(socketFd: number, fd: number, offset: number, length: number): number {
  position[0] = BigInt(offset);
  return Math.max(0, libc().sendfile(socketFd, fd, position, length));
}
