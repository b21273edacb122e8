import fs, { type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { isVarveError, systemError, VarveError } from '../../base/varve-error.ts';
import { lockFile } from '../../linux/lock-file.ts';

/** Others sweep up what nobody has locked; so often one that was just made has been taken for such a one. */
const maximumAttempts = 100;

/** A directory beside a disk file that is its maker's for as long as that lives. Disposing removes it. */
export interface OwnDirectory extends AsyncDisposable {
  readonly path: string;
}

/**
 * Makes a directory beside a disk file: on the same file system, where there is the room that the disk is to have. Those
 * that processes left which died are removed.
 *
 * @throws VarveError `READ_ONLY`, `PERMISSION`, `NO_SPACE`, `NOT_FOUND`
 */
export async function makeOwnDirectory(file: string): Promise<OwnDirectory> {
  try {
    await removeDead(file);
    for (let attempt = 0; attempt < maximumAttempts; attempt += 1) {
      const own = await tryToOwn(await fs.mkdtemp(prefixOf(file)));
      if (own !== undefined) return own;
    }
  } catch (error) {
    throw systemError(`begin a transaction on ${file}`, error);
  }
  throw new VarveError('BUSY', `cannot begin a transaction on ${file}: others do so all the time`);
}

function prefixOf(file: string): string {
  return join(dirname(resolve(file)), `.${basename(file)}.tx-`);
}

/** Undefined where somebody removed it before it was locked. */
async function tryToOwn(path: string): Promise<OwnDirectory | undefined> {
  const handle = await openDirectory(path);
  if (handle === undefined) return undefined;
  const isOurs = tryLock(handle, path) !== 'taken' && (await handle.stat()).nlink > 0;
  if (!isOurs) {
    await handle.close();
    return undefined;
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      await fs.rm(path, { recursive: true, force: true });
      await handle.close();
    },
  };
}

async function removeDead(file: string): Promise<void> {
  const prefix = prefixOf(file);
  const entries = await fs.readdir(dirname(prefix), { withFileTypes: true });
  for (const entry of entries) {
    if (!entry.isDirectory() || !isMade(entry.name, basename(prefix))) continue;
    const path = join(dirname(prefix), entry.name);
    await using handle = await openDirectory(path);
    if (handle !== undefined && tryLock(handle, path) === 'ours') await fs.rm(path, { recursive: true, force: true });
  }
}

/** `mkdtemp` puts six letters and digits behind a prefix. */
function isMade(name: string, prefix: string): boolean {
  return name.startsWith(prefix) && /^[A-Za-z0-9]{6}$/.test(name.slice(prefix.length));
}

async function openDirectory(path: string): Promise<FileHandle | undefined> {
  try {
    return await fs.open(path, 'r');
  } catch (error) {
    // Of another user, or gone.
    if (['ENOENT', 'EACCES'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

/** Network file systems, and other systems, may not lock directories; nobody removes anything there. */
function tryLock(handle: FileHandle, path: string): 'ours' | 'taken' | 'unknown' {
  try {
    return lockFile(handle.fd, 'exclusive', path) ? 'ours' : 'taken';
  } catch (error) {
    if (isVarveError(error)) return 'unknown';
    throw error;
  }
}
