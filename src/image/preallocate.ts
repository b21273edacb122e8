import type { FileHandle } from 'node:fs/promises';
import { writeZerosFully } from '../block/positional-io.ts';
import { allocate } from '../linux/fallocate.ts';
import { isLinux } from '../linux/libc.ts';

/** How much is written before others get a turn, in bytes. */
const sliceLength = 2 ** 25;

/**
 * Gives the first `size` bytes of a file their space, so that writing there later cannot fail for want of it: what it
 * holds stays. Where the file system cannot do that, and `isNew` says that there is nothing in it, zeros are written.
 *
 * @throws VarveError `NO_SPACE`
 */
export async function allocateSpace(handle: FileHandle, path: string, size: number, isNew: boolean): Promise<void> {
  if (size === 0 || (isLinux && allocate(handle.fd, 0, size, path))) return;
  if (isNew) await writeZeros(handle, path, size);
}

/** Writes `size` zero bytes to a file. @throws VarveError `NO_SPACE` */
export async function writeZeros(handle: FileHandle, path: string, size: number): Promise<void> {
  for (let offset = 0; offset < size; offset += sliceLength) {
    writeZerosFully(handle.fd, offset, Math.min(sliceLength, size - offset), path);
    // Syncing on the way gives others a turn, and leaves little for the end.
    await handle.datasync();
  }
}
