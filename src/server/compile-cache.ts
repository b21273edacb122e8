import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';

/** The variables by which a process of ours keeps compiled code where this one does, if it does; not for users' programs. */
export function compileCacheVariables(): NodeJS.ProcessEnv {
  const directory = getCompileCacheDir();
  return directory === undefined ? {} : { NODE_COMPILE_CACHE: dirname(directory) };
}
