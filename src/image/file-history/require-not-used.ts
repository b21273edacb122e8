import fs, { type FileHandle } from 'node:fs/promises';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { diskUsers } from '../../linux/disk-users.ts';
import { lockDisk } from '../../linux/lock-disk.ts';

/**
 * Refuses what must not be done to a file while others use it as a disk, and keeps them from it until the result is
 * disposed of. `doing` is what is refused: `remove disk.qcow2`.
 *
 * @throws VarveError `BUSY`, `NOT_FOUND`, `INVALID` for what is no file
 */
export async function requireNotUsed(path: string, doing: string): Promise<AsyncDisposable> {
  const handle = await openFile(path, doing);
  const conflict = lockDisk(handle.fd, 'write', path);
  if (conflict === undefined) return handle;
  await handle.close();
  const users = diskUsers(path).map(({ pid, program }) => `${program} (process ${pid})`);
  throw new VarveError('BUSY', `cannot ${doing}: ${users.join(', ') || 'another program'} has it open`);
}

async function openFile(path: string, doing: string): Promise<FileHandle> {
  try {
    if ((await fs.stat(path)).isFile()) return await fs.open(path, 'r');
  } catch (error) {
    throw systemError(doing, error);
  }
  throw new VarveError('INVALID', `cannot ${doing}: it is no regular file`);
}
