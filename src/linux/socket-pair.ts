import { errnoError, libc } from './libc.ts';

/* Source: socketpair(2). */
const AF_UNIX = 1;
const SOCK_STREAM_CLOEXEC = 0o2000001;

/** Two sockets that are connected to each other, and that no program that is started gets. @throws VarveError by errno */
export function socketPair(doing: string): [number, number] {
  const { errno, socketpair } = libc();
  const fds = new Int32Array(2);
  if (socketpair(AF_UNIX, SOCK_STREAM_CLOEXEC, 0, fds) === -1) throw errnoError(doing, 'socketpair', errno());
  return [fds[0]!, fds[1]!];
}
