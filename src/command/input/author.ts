import { hostname, userInfo } from 'node:os';

/** Who a new snapshot is by: `VARVE_AUTHOR`, else `user@host`. */
export function author(environment: NodeJS.ProcessEnv = process.env): string {
  const named = environment.VARVE_AUTHOR;
  return named !== undefined && named !== '' ? named : `${userName()}@${hostname()}`;
}

/** A user in a container may have a number and no name. */
function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? 'unknown');
  }
}
