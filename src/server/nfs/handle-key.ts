import { randomBytes } from 'node:crypto';
import { link, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { handleKeyLength } from '../../protocol/nfs/file-handle.ts';

/**
 * The key that file handles are made with, kept in a file that only its owner reads: made the first time, and the same from
 * then on, so that clients go on when the server was started again.
 *
 * @throws VarveError `PERMISSION`, `IO`, `INVALID` for a file that holds something else
 */
export async function keptHandleKey(path: string): Promise<Uint8Array> {
  try {
    const known = await keyIn(path);
    if (known !== undefined) return known;
    await mkdir(dirname(path), { recursive: true, mode: 0o700 });
    const temporary = `${path}.${randomBytes(6).toString('hex')}`;
    await writeFile(temporary, randomBytes(handleKeyLength), { mode: 0o600, flush: true });
    // Where two servers make one, the first counts.
    await link(temporary, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'EEXIST') throw error;
    });
    await rm(temporary, { force: true });
    return (await keyIn(path))!;
  } catch (error) {
    throw systemError(`keep the key of file handles in ${path}`, error);
  }
}

async function keyIn(path: string): Promise<Uint8Array | undefined> {
  try {
    const key = await readFile(path);
    if (key.length === handleKeyLength) return key;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  throw new VarveError('INVALID', `${path} holds no key of file handles; remove it, and clients have to mount again`);
}
