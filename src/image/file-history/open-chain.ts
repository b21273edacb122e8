import { dirname } from 'node:path';
import type { BlockDevice } from '../../block/block-device.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { followBackingFiles } from '../../format/backing-files.ts';
import { openImage } from '../../format/formats.ts';
import type { FormatDevice, OpenBacking } from '../../format/image-format.ts';
import { realPath } from './image-file.ts';

/** Which files that images build on are opened; those in the directory of the disk itself always are. */
export interface ChainOptions {
  /** All of them, wherever they are. */
  readonly follow?: boolean | undefined;
  /** Those in, or below, these directories. */
  readonly allowed?: readonly string[] | undefined;
}

/**
 * Opens a disk in a file for reading, with what it builds on. While it is open, nobody who asks may write to any of it.
 *
 * @throws VarveError `PERMISSION` for a file in a directory that is not allowed, `BUSY` while others write to it, and what
 *   opening an image throws
 */
export async function openChain(
  path: string,
  format: string | undefined,
  options: ChainOptions = {},
): Promise<FormatDevice> {
  const openBacking = await chainHook(path, options);
  return await openImage(await openLocked(path), { name: path, format, openBacking });
}

/** What opens the files that the image at `path` builds on. */
export async function chainHook(path: string, { follow = false, allowed = [] }: ChainOptions): Promise<OpenBacking> {
  const directories = follow ? ['/'] : [dirname(await realPath(path)), ...allowed];
  const hook = await followBackingFiles({ path, allowed: directories, openFile: openLocked });
  return hook;
}

function openLocked(path: string): Promise<BlockDevice> {
  return openFileDevice(path, { readOnly: true, lock: true });
}
