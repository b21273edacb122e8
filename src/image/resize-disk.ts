import { formatSize } from '../base/size.ts';
import { VarveError } from '../base/varve-error.ts';
import { log } from '../log/log.ts';
import { type OpenWritableDiskOptions, openWritableDisk } from './file-disk.ts';

/** How a disk gets another size. */
export interface ResizeOptions extends OpenWritableDiskOptions {
  /** Allows the disk to get smaller, which loses what is behind its new end. */
  readonly shrink?: boolean | undefined;
}

/** What came of a resize; sizes in bytes. */
export interface Resized {
  readonly format: string;
  readonly oldSize: number;
  readonly size: number;
}

/**
 * Makes the disk in a file larger, with zeros, or smaller; it is durable then. `sizeFor` is given its size now and gives
 * the one it is to have, both in bytes.
 *
 * @throws VarveError `INVALID` for a smaller size where `shrink` is not set, `UNSUPPORTED` for a format or a device that
 *   keeps its size, `BUSY` where others build on it, and what `openWritableDisk` throws
 */
export async function resizeDisk(
  path: string,
  sizeFor: (oldSize: number) => number,
  { shrink = false, ...options }: ResizeOptions = {},
): Promise<Resized> {
  return await log.scope(`resize ${path}`, async () => {
    await using disk = await openWritableDisk(path, options);
    const { image } = disk;
    const oldSize = image.size;
    const size = sizeFor(oldSize);
    if (size < oldSize && !shrink) {
      const sizes = `it has ${formatSize(oldSize)}, and ${formatSize(oldSize - size)} at its end would be lost`;
      throw new VarveError('INVALID', `cannot make ${path} smaller: ${sizes}; give --shrink if nothing is there`);
    }
    if (image.resize === undefined) {
      throw new VarveError('UNSUPPORTED', `cannot resize ${path}: ${image.format} disks are not resized in place here`);
    }
    if (size !== oldSize) await image.resize(size);
    await image.flush();
    return { format: image.format, oldSize, size };
  });
}
