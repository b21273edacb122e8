import type { ListenAddress } from './nbd-server.ts';

/** The first descriptor that a service manager hands over. */
const firstDescriptor = 3;

/**
 * The listening sockets that a service manager handed over to this process, none where it did not. The variables that
 * say so are taken out of `environment`, so that no child takes them for its own.
 * Source: sd_listen_fds(3); libnbd's tools do the same for `nbdinfo [ varve serve … ]`.
 */
export function activatedSockets(environment: NodeJS.ProcessEnv, pid: number): ListenAddress[] {
  const { LISTEN_FDS: count = '', LISTEN_PID: forWhom } = environment;
  if (forWhom !== String(pid) || !/^[1-9]\d{0,2}$/.test(count)) return [];
  for (const name of ['LISTEN_FDS', 'LISTEN_PID', 'LISTEN_FDNAMES']) delete environment[name];
  return Array.from({ length: Number(count) }, (_, index) => ({ kind: 'descriptor', fd: firstDescriptor + index }));
}
