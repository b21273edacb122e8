import fs, { type FileHandle } from 'node:fs/promises';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { isLinux } from '../../linux/libc.ts';
import { lockFile } from '../../linux/lock-file.ts';
import { isSoleOpener } from '../../linux/sole-opener.ts';

/** Keeps others from a file that is committed to. */
export interface CommitLock extends AsyncDisposable {
  /** Whether nobody else had the file open. */
  readonly isAlone: boolean;
}

/** Keeps other commits and all who write away from a base; those who read may stay. @throws VarveError `BUSY` */
export async function lockForCommit(path: string): Promise<CommitLock> {
  await using stack = new AsyncDisposableStack();
  const handle = stack.use(await openHandle(path));
  if (isLinux && !lockFile(handle.fd, 'exclusive', path)) {
    throw new VarveError('BUSY', `cannot commit to ${path}: another commit to it is under way`);
  }
  const isAlone = isSoleOpener(handle.fd);
  stack.use(await openFileDevice(path, { readOnly: true, lock: true }));
  const locks = stack.move();
  return { isAlone, [Symbol.asyncDispose]: () => locks.disposeAsync() };
}

async function openHandle(path: string): Promise<FileHandle> {
  try {
    return await fs.open(path, 'r');
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}

/** Lets a file that its owner made read-only, as bases are, be written to until what is returned is disposed of. */
export async function makeWritable(path: string): Promise<AsyncDisposable> {
  const { mode } = await fs.stat(path);
  if ((mode & 0o200) !== 0 || process.getuid?.() === 0) return { async [Symbol.asyncDispose]() {} };
  try {
    await fs.chmod(path, mode | 0o200);
  } catch (error) {
    throw systemError(`write to ${path}`, error);
  }
  return { [Symbol.asyncDispose]: () => fs.chmod(path, mode) };
}
