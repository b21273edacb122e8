import type { FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { systemError } from '../base/varve-error.ts';
import { fileTarget } from '../format/file-target.ts';
import type { ImageTarget } from '../format/image-target.ts';
import { WriteBehind } from './write-behind.ts';

/** Bytes that are written before they begin to be synced. */
const batchLength = 32 * 2 ** 20;

/**
 * A file that is being written and synced at the same time, in the thread pool, so that whoever fills it need not wait
 * and little is left to wait for at the end. `name` is its path, also in errors. Closing and syncing it for good is up
 * to the caller.
 */
export function syncedFileTarget(file: FileHandle, name: string): ImageTarget {
  const target = fileTarget(file.fd, name);
  const behind = new WriteBehind(file, name);
  let unsynced = 0;
  let syncing: Promise<void> | undefined;
  let failure: unknown;
  const sync = async (): Promise<void> => {
    try {
      await file.datasync();
    } catch (error) {
      // The kernel tells of a lost write once, so it must not be forgotten.
      failure ??= systemError(`write ${name}`, error);
    }
    syncing = undefined;
  };
  return {
    ...target,
    fileName: basename(name),
    write(source, offset) {
      unsynced += source.length;
      if (unsynced >= batchLength && syncing === undefined) {
        unsynced = 0;
        syncing = sync();
      }
      return behind.write(source, offset);
    },
    async zero(offset, length) {
      await behind.settle();
      await target.zero(offset, length);
    },
    async finish(size) {
      await behind.settle();
      await syncing;
      if (failure !== undefined) throw failure;
      await target.finish(size);
    },
  };
}
