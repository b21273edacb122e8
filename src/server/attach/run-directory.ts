import { lstatSync, mkdirSync } from 'node:fs';
import { systemError, VarveError } from '../../base/varve-error.ts';

/**
 * Makes the directory in which attached disks are, unless it is there, for its owner alone.
 *
 * @throws VarveError `PERMISSION` also for one that is somebody else's or open to others
 */
export function requireRunDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    const { mode, uid } = lstatSync(path);
    if (uid === process.geteuid?.() && (mode & 0o077) === 0) return;
  } catch (error) {
    throw systemError(`make the directory ${path}`, error);
  }
  throw new VarveError('PERMISSION', `cannot use ${path} for attached disks: it must be yours, and closed to others`);
}
