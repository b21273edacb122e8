import { randomBytes } from 'node:crypto';
import fs, { type FileHandle } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemError } from '../base/varve-error.ts';
import type { ResizableDevice } from './block-device.ts';
import { regularFileDevice } from './regular-file-device.ts';

/**
 * Opens a new empty file that has no name, in `directory` or where the system keeps what is temporary: its space is given
 * back when it is closed, as when the process dies.
 *
 * @throws VarveError by errno
 */
export async function openNamelessFile(directory: string = tmpdir()): Promise<FileHandle> {
  const path = join(directory, `varve-${process.pid}-${randomBytes(8).toString('hex')}`);
  try {
    const handle = await fs.open(path, 'wx+', 0o600);
    await fs.unlink(path);
    return handle;
  } catch (error) {
    throw systemError(`make a temporary file in ${directory}`, error);
  }
}

/** A device over such a file, of `size` zero bytes; disposing of it gives the space back. @throws VarveError by errno */
export async function openTemporaryDevice(size: number, directory: string = tmpdir()): Promise<ResizableDevice> {
  const handle = await openNamelessFile(directory);
  const label = `a temporary file in ${directory}`;
  try {
    await handle.truncate(size);
    const { blksize } = await handle.stat();
    return regularFileDevice({ handle, size, blockSize: blksize, readOnly: false, label });
  } catch (error) {
    await handle.close();
    throw systemError(`make ${label}`, error);
  }
}
