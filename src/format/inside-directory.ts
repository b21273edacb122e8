import { isAbsolute, relative } from 'node:path';

/** Whether `path` is in `directory` or below it; both absolute, after all symbolic links. */
export function isInside(directory: string, path: string): boolean {
  const way = relative(directory, path);
  return way !== '' && way !== '..' && !way.startsWith('../') && !isAbsolute(way);
}
