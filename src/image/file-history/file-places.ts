import { randomBytes } from 'node:crypto';
import type { Stats } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { systemError, VarveError } from '../../base/varve-error.ts';

/** More snapshots of one file than this in one day are not named by themselves. */
const maximumSuffix = 9999;

/**
 * Writes a file beside `path`, under a name of its own, and syncs it. It has the permissions and, where that is
 * allowed, the owner that `like` has. Nothing is left behind where that fails.
 *
 * @returns its path
 * @throws VarveError `NO_SPACE`, `PERMISSION`, and what `write` throws
 */
export async function writeBeside(
  path: string,
  like: Stats,
  write: (file: FileHandle) => Promise<void>,
): Promise<string> {
  const temporary = beside(path);
  try {
    await using file = await fs.open(temporary, 'wx+');
    await file.chown(like.uid, like.gid).catch(() => undefined);
    await file.chmod(like.mode & 0o7777);
    await write(file);
    await file.sync();
    return temporary;
  } catch (error) {
    await fs.rm(temporary, { force: true });
    throw systemError(`write beside ${path}`, error);
  }
}

/** A second name of a file. */
export interface SecondName {
  readonly path: string;
  /** Takes the name away again, if it was not there before. */
  undo(): Promise<void>;
}

/**
 * Gives the file at `path` a second name in its directory, durably: the one given, else one with the date of `time` (in
 * milliseconds since 1970; local), with a number where that is taken. Nothing is overwritten. A name that the file has
 * already, as after a run that was cut off, is taken for done.
 *
 * @throws VarveError `EXISTS`, `INVALID` for a name that is a path, `UNSUPPORTED` where the file system has no links
 */
export async function addName(path: string, name: string | undefined, time: number): Promise<SecondName> {
  if (name !== undefined) {
    requirePlainName(name, basename(path));
    const named = await linked(path, join(dirname(path), name));
    if (named !== undefined) return named;
    throw new VarveError('EXISTS', `cannot name ${path} ${name}: there is a file of that name; choose another one`);
  }
  for (const proposal of datedNames(basename(path), time)) {
    const named = await linked(path, join(dirname(path), proposal));
    if (named !== undefined) return named;
  }
  throw new VarveError('EXISTS', `cannot find a name for ${path}: all are taken; choose one with --as`);
}

/** A name in the directory of `path` that nobody has, for a file that is being written. */
export function beside(path: string): string {
  return join(dirname(path), `${basename(path).slice(0, 200)}.part-${randomBytes(4).toString('hex')}`);
}

/** Puts the file at `temporary` into the place of the one at `path`, in one step, durably. */
export async function takePlace(temporary: string, path: string): Promise<void> {
  try {
    await fs.rename(temporary, path);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw systemError(`replace ${path}`, error);
  }
}

/**
 * Gives the file at `temporary` its name, durably, if nobody has it.
 *
 * @throws VarveError `EXISTS`; the file is gone then
 */
export async function placeNew(temporary: string, path: string): Promise<void> {
  try {
    await fs.link(temporary, path);
  } catch (error) {
    throw systemError(`write ${path}`, error);
  } finally {
    await fs.rm(temporary, { force: true });
  }
  await syncDirectory(dirname(path));
}

/** Makes the names in a directory durable. */
export async function syncDirectory(path: string): Promise<void> {
  await using directory = await fs.open(path, 'r');
  await directory.sync();
}

/** Lets nobody write to a file, root aside. It is a sign, not a lock: whoever owns the file can undo it. */
export async function makeReadOnly(path: string): Promise<void> {
  const { mode } = await fs.stat(path);
  await fs.chmod(path, mode & 0o7555).catch((error) => {
    throw systemError(`make ${path} read-only`, error);
  });
}

/** `disk_2026-11-20.qcow2`, `disk_2026-11-20_2.qcow2`, … */
function* datedNames(name: string, time: number): Generator<string, undefined> {
  const extension = extname(name);
  const stem = name.slice(0, name.length - extension.length);
  const dated = `${stem}_${localDate(time)}`;
  yield dated + extension;
  for (let count = 2; count <= maximumSuffix; count += 1) yield `${dated}_${count}${extension}`;
}

function localDate(time: number): string {
  const date = new Date(time);
  const digits = (value: number, length: number): string => String(value).padStart(length, '0');
  return `${digits(date.getFullYear(), 4)}-${digits(date.getMonth() + 1, 2)}-${digits(date.getDate(), 2)}`;
}

/** Names stay in the directory: relative names of backing files start from there. */
function requirePlainName(name: string, taken: string): void {
  const isPlain = name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
  if (isPlain && name !== taken) return;
  throw new VarveError('INVALID', `${JSON.stringify(name)} is no other name for a file in the disk's own directory`);
}

/** Undefined where another file has that name. */
async function linked(path: string, target: string): Promise<SecondName | undefined> {
  try {
    await fs.link(path, target);
    await syncDirectory(dirname(target));
    return { path: target, undo: () => removeName(path, target) };
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return (await isSameFile(path, target)) ? { path: target, undo: async () => {} } : undefined;
    if (code !== 'EPERM' && code !== 'ENOTSUP' && code !== 'EOPNOTSUPP' && code !== 'EMLINK') {
      throw systemError(`name ${path} ${target}`, error);
    }
    const why = 'the file system does not let a file have two names, which is how no moment is without the disk';
    throw new VarveError('UNSUPPORTED', `cannot name ${path} ${target}: ${why}`, { cause: error });
  }
}

/** Not where it is the only name that is left. */
async function removeName(path: string, target: string): Promise<void> {
  if (await isSameFile(path, target).catch(() => false)) await fs.rm(target, { force: true });
}

async function isSameFile(path: string, target: string): Promise<boolean> {
  const [a, b] = [await fs.stat(path, { bigint: true }), await fs.lstat(target, { bigint: true })];
  return a.dev === b.dev && a.ino === b.ino;
}
