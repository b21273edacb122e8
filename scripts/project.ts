import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The clone's root directory. */
export const projectDirectory = fileURLToPath(new URL('..', import.meta.url)).replace(/\/$/, '');

/**
 * The environment for the project's own programs: its Node and tools come first in `PATH`, and the directories for
 * administrators are in it, which Debian leaves out for everybody else and where mke2fs lives.
 */
export function developmentEnvironment(): NodeJS.ProcessEnv {
  const directories = [join(projectDirectory, 'node_modules/.bin'), process.env.PATH ?? '', '/usr/sbin', '/sbin'];
  return { ...process.env, PATH: directories.join(delimiter) };
}
