import { statfs } from 'node:fs/promises';
import { systemError } from '../base/varve-error.ts';

/**
 * How many bytes a file beside `path`, or in it if it is a directory, could still take, root's reserve left out.
 *
 * @throws VarveError by errno: `NOT_FOUND`, `PERMISSION`, `IO`
 */
export async function freeSpace(path: string): Promise<number> {
  try {
    const { bavail, bsize } = await statfs(path);
    return bavail * bsize;
  } catch (error) {
    throw systemError(`ask for the free space at ${path}`, error);
  }
}
