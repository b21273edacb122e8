import type { FileHandle } from 'node:fs/promises';
import { basename } from 'node:path';
import { systemError } from '../base/varve-error.ts';
import { endedError } from '../block/positional-io.ts';
import { fileTarget } from '../format/file-target.ts';
import type { ImageTarget } from '../format/image-target.ts';

/** Bytes that are written before they begin to be synced. */
const batchLength = 32 * 2 ** 20;

/** Longer pieces are written in the thread pool; a promise costs more than writing a shorter one. */
const backgroundLength = 64 * 2 ** 10;

/**
 * A file that is being written and synced at the same time, in the thread pool, so that little is left to wait for at
 * the end. `name` is its path, also in errors. Closing and syncing it for good is up to the caller.
 */
export function syncedFileTarget(file: FileHandle, name: string): ImageTarget {
  const target = fileTarget(file.fd, name);
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
      if (source.length < backgroundLength) return target.write(source, offset);
      return writeInBackground(file, source, offset, name);
    },
    async finish(size) {
      await syncing;
      if (failure !== undefined) throw failure;
      await target.finish(size);
    },
  };
}

async function writeInBackground(file: FileHandle, source: Uint8Array, offset: number, name: string): Promise<void> {
  try {
    for (let done = 0; done < source.length; ) {
      const { bytesWritten } = await file.write(source, done, source.length - done, offset + done);
      if (bytesWritten === 0) throw endedError('write', name, offset + done);
      done += bytesWritten;
    }
  } catch (error) {
    throw systemError(`write ${name}`, error);
  }
}
