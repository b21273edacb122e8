import { homedir } from 'node:os';
import { join } from 'node:path';

/**
 * Where the store is: what `--store` says, else `VARVE_STORE`, else `varve` in the user's data directory.
 * Source: XDG Base Directory Specification 0.8, `XDG_DATA_HOME` (a relative one is to be ignored).
 */
export function storePath(option: string | undefined, environment: NodeJS.ProcessEnv = process.env): string {
  const named = option ?? environment.VARVE_STORE;
  if (named !== undefined && named !== '') return named;
  const { XDG_DATA_HOME: dataHome = '' } = environment;
  return join(dataHome.startsWith('/') ? dataHome : join(homedir(), '.local/share'), 'varve');
}
