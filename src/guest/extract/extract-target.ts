import fs from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { systemError, VarveError } from '../../base/varve-error.ts';

/** Where files go that are copied out of a disk. */
export interface ExtractTarget {
  /** A directory that is there. */
  readonly directory: string;
  /** What the one file that is copied is called there; undefined where each keeps its name. */
  readonly name: string | undefined;
}

/**
 * What a user means by a target, as cp(1) takes it: a directory that is there gets the files under their own names; anything
 * else is a name for the only one.
 *
 * @throws VarveError `NOT_FOUND` where there is no such directory, `INVALID` for several files and one name
 */
export function extractTarget(target: string, count: number): ExtractTarget {
  if (isDirectory(target)) return { directory: target, name: undefined };
  if (count > 1) throw new VarveError('INVALID', `cannot copy ${count} files to ${target}: it is no directory`);
  if (/\/\.{0,2}$/.test(target))
    throw new VarveError('NOT_FOUND', `cannot copy to ${target}: there is no such directory`);
  const whole = resolve(target);
  return { directory: dirname(whole), name: basename(whole) };
}

function isDirectory(path: string): boolean {
  try {
    return fs.statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
  } catch (error) {
    throw systemError(`copy to ${path}`, error);
  }
}
