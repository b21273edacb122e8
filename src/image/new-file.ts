import { randomBytes } from 'node:crypto';
import fs, { type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemError, VarveError } from '../base/varve-error.ts';
import { requireNoChildren } from './file-history/children.ts';

/** How `writeNewFile` treats what is there already. */
export interface NewFileOptions {
  /** Replaces a file of that name; without it, that there is one is an error. */
  readonly force: boolean;
}

/**
 * Writes a file that is there whole and durable, or not at all: `write` fills an empty file beside it, which is then
 * synced and given its name. A file that is replaced passes its permissions on, and a symbolic link stays one.
 *
 * @throws VarveError `EXISTS`, `BUSY` for a file that others build on, `NOT_FOUND` for its directory, `NO_SPACE`, and what `write` throws; nothing is left
 *   behind then
 */
export async function writeNewFile(
  path: string,
  { force }: NewFileOptions,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const target = await realPath(path);
  const mode = await modeOf(target);
  if (mode !== undefined && !force) throw existsError(path);
  if (mode !== undefined)
    await requireNoChildren(target, `replace ${path}`, { advice: 'rebase or flatten them first' });
  const temporary = join(dirname(target), `${basename(target).slice(0, 200)}.part-${randomBytes(4).toString('hex')}`);
  try {
    await writeWhole(temporary, mode, write);
    await place(temporary, target, path, force);
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw systemError(`write ${path}`, error);
  }
}

/** @throws VarveError `EXISTS` for a file that is there, when it is not to be replaced */
export function existsError(path: string): VarveError {
  return new VarveError('EXISTS', `cannot write ${path}: it exists already; give --force to replace it`);
}

async function writeWhole(
  temporary: string,
  mode: number | undefined,
  write: (file: FileHandle) => Promise<void>,
): Promise<void> {
  await using file = await fs.open(temporary, 'wx+');
  if (mode !== undefined) await file.chmod(mode);
  await write(file);
  await file.sync();
}

/** Gives the file its name, durably. A link fails where the name was taken meanwhile; a rename would replace it. */
async function place(temporary: string, target: string, path: string, force: boolean): Promise<void> {
  if (force || !(await linked(temporary, target, path))) await fs.rename(temporary, target);
  await using directory = await fs.open(dirname(target), 'r');
  await directory.sync();
}

/** False where the file system has no links, such as FAT. */
async function linked(temporary: string, target: string, path: string): Promise<boolean> {
  try {
    await fs.link(temporary, target);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw existsError(path);
    if (code === 'EPERM' || code === 'ENOTSUP' || code === 'ENOSYS' || code === 'EMLINK') return false;
    throw error;
  }
  await fs.unlink(temporary);
  return true;
}

/** Where a symbolic link leads; a name that nobody has yet leads to itself. */
async function realPath(path: string): Promise<string> {
  return await fs.realpath(path).catch(() => path);
}

async function modeOf(path: string): Promise<number | undefined> {
  const stats = await fs.stat(path).catch(() => undefined);
  return stats === undefined ? undefined : stats.mode & 0o7777;
}
