import { open, stat } from 'node:fs/promises';
import { systemError } from '../../base/varve-error.ts';
import { canHaveHoles } from '../../linux/fallocate.ts';
import { log } from '../../log/log.ts';
import { type OpenWritableDiskOptions, openWritableDisk } from '../file-disk.ts';
import { type SparsifyOptions, type TrimmedDisk, trimUnused } from './trim-unused.ts';

/** What came of sparsifying a file; lengths in bytes. */
export interface SparsifiedFile extends TrimmedDisk {
  /** What the file takes on its own disk, before and after; left out for a block device. */
  readonly stored?: { readonly before: number; readonly after: number } | undefined;
}

/**
 * Gives back what the file systems of a disk in a file, or on a block device, do not use, in place.
 *
 * @throws VarveError as `openWritableDisk` and `trimUnused` do; `UNSUPPORTED` where the file cannot have holes
 */
export async function sparsifyFile(
  path: string,
  { access, ...options }: SparsifyOptions & { readonly access?: OpenWritableDiskOptions },
): Promise<SparsifiedFile> {
  return await log.scope(`sparsify ${path}`, async () => {
    await using disk = await openWritableDisk(path, access);
    const before = await storedLength(path);
    const trimmed = await trimUnused(disk.image, { ...options, name: path });
    const after = await storedLength(path);
    return { ...trimmed, stored: before === undefined || after === undefined ? undefined : { before, after } };
  });
}

/** Whether what is trimmed of a disk is given back to the file system that its file is on, or by its device. */
export async function canGiveSpaceBack(path: string): Promise<boolean> {
  try {
    await using file = await open(path, 'r+');
    const stat = await file.stat();
    return !stat.isFile() || canHaveHoles(file.fd, stat.size, path);
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}

async function storedLength(path: string): Promise<number | undefined> {
  const { blocks, isFile } = await stat(path).then((found) => ({ blocks: found.blocks, isFile: found.isFile() }));
  return isFile ? blocks * 512 : undefined;
}
