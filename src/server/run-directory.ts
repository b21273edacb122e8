import { lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { systemError, VarveError } from '../base/varve-error.ts';

/**
 * Makes a directory of the user's run directory, and that itself, unless they are there, for their owner alone.
 *
 * @throws VarveError `PERMISSION` also for one that is somebody else's or open to others
 */
export function requireRunDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    for (const each of [dirname(path), path]) requireOwn(each);
  } catch (error) {
    throw systemError(`make the directory ${path}`, error);
  }
}

function requireOwn(path: string): void {
  const stats = lstatSync(path);
  if (stats.isDirectory() && stats.uid === process.geteuid?.() && (stats.mode & 0o077) === 0) return;
  throw new VarveError('PERMISSION', `cannot use ${path}: it must be a directory of yours, and closed to others`);
}
