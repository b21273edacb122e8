import { open, stat } from 'node:fs/promises';
import { systemError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { overlayFilter } from '../../filter/overlay.ts';
import { canHaveHoles } from '../../linux/fallocate.ts';
import { log } from '../../log/log.ts';
import { referenceOf, type Snapshot } from '../../store/image-table.ts';
import type { Store } from '../../store/store.ts';
import { type OpenWritableDiskOptions, openWritableDisk } from '../file-disk.ts';
import type { DiskFilter } from '../filters/filter-chain.ts';
import { openImageForWriting } from '../live-image.ts';
import { type TrimmedDisk, type TrimUnusedOptions, trimUnused } from './trim-unused.ts';

/** How a disk is sparsified; its name is given beside. */
export type SparsifyOptions = Omit<TrimUnusedOptions, 'name'>;

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

/**
 * Gives back what the file systems of an image's newest snapshot do not use: as its next snapshot.
 *
 * @throws VarveError as `openImageForWriting` and `trimUnused` do; `CONFLICT` where it has changes in no snapshot
 */
export async function sparsifyImage(
  store: Store,
  name: string,
  options: SparsifyOptions,
): Promise<TrimmedDisk & { readonly snapshot: Snapshot }> {
  return await log.scope(`sparsify ${name}`, async () => {
    await using image = await openImageForWriting(store, name, { purpose: `sparsify ${name}` });
    if (image.status().changedBytes > 0) {
      const advice = `make them a snapshot with varve snapshot ${name}, or drop them with varve discard ${name}`;
      throw new VarveError('CONFLICT', `${name} has changes that are in no snapshot; ${advice}`);
    }
    const trimmed = await trimUnused(image.device, { ...options, name });
    const { stored } = await image.snapshot({ message: 'sparsified' });
    const snapshot = await stored;
    log(1, '%s is stored', referenceOf(snapshot));
    return { ...trimmed, snapshot };
  });
}

/** A filter through which what a disk's file systems do not use reads as zeros; for copies. */
export function unusedAsZeros(options: SparsifyOptions): DiskFilter {
  return {
    spec: 'sparsify',
    keepsWrites: true,
    async apply(device: BlockDevice, { label }) {
      const view = overlayFilter(device, memoryDevice(device.size));
      await trimUnused(view, { ...options, name: label });
      return view;
    },
  };
}
