import fs from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { systemError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { checkedDevice } from '../../block/checked-device.ts';
import { openFileDisk, openWritableDisk } from '../file-disk.ts';
import { type Committed, commitOverlay } from '../file-history/commit-overlay.ts';
import { readImageFile } from '../file-history/image-file.ts';
import { backingReference, overlayBase, writeOverlay } from '../file-history/overlay-file.ts';

/** How a disk file is changed in a transaction. */
export interface FileTransactionOptions {
  /** Where it is noted which disk files build on which. */
  readonly register?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A private view of a disk file that is written to: an overlay in a directory of its own beside it, merged into the file in
 * one step, or thrown away. Disposing throws away what was not committed.
 */
export class FileTransaction implements AsyncDisposable {
  /** Goes with the transaction. */
  readonly directory: string;
  readonly device: BlockDevice;
  readonly #overlay: string;
  readonly #disk: AsyncDisposable;
  readonly #options: FileTransactionOptions;

  private constructor(directory: string, overlay: string, disk: FileTransactionDisk, options: FileTransactionOptions) {
    this.directory = directory;
    this.device = checkedDevice(disk.image, { label: overlay });
    this.#overlay = overlay;
    this.#disk = disk;
    this.#options = options;
  }

  /** @throws VarveError as opening it does, `READ_ONLY` or `PERMISSION` where nothing can be put beside it */
  static async begin(path: string, options: FileTransactionOptions): Promise<FileTransaction> {
    const directory = await makeBeside(path);
    try {
      const overlay = join(directory, basename(path).replace(/\.[^.]*$/, '.qcow2'));
      await writeOverlayOf(path, directory, overlay);
      const disk = await openWritableDisk(overlay, { ...options, allowed: [dirname(resolve(path))] });
      return new FileTransaction(directory, overlay, disk, options);
    } catch (error) {
      await fs.rm(directory, { recursive: true, force: true });
      throw error;
    }
  }

  /** Makes what was written part of the file, durably and in one step. @throws VarveError `CONFLICT` when it has changed */
  async commit(): Promise<Committed> {
    await this.device.flush();
    await this.#disk[Symbol.asyncDispose]();
    const allowed = [dirname(this.directory)];
    return await commitOverlay(this.#overlay, { ...this.#options, allowed, delete: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disk[Symbol.asyncDispose]();
    await fs.rm(this.directory, { recursive: true, force: true });
  }
}

type FileTransactionDisk = Awaited<ReturnType<typeof openWritableDisk>>;

/** On the same file system, where there is the room that the disk is to have. */
async function makeBeside(path: string): Promise<string> {
  try {
    return await fs.mkdtemp(join(dirname(resolve(path)), `.${basename(path)}.tx-`));
  } catch (error) {
    throw systemError(`begin a transaction on ${path}`, error);
  }
}

async function writeOverlayOf(path: string, directory: string, overlay: string): Promise<void> {
  const base = await readImageFile(path);
  const note = { message: 'transaction', author: '', time: Date.now() };
  const size = await sizeOf(path);
  const onto = await overlayBase(base.path, backingReference(directory, base), note);
  await using file = await fs.open(overlay, 'wx+', 0o600);
  await writeOverlay(file, overlay, size, onto);
}

async function sizeOf(path: string): Promise<number> {
  await using disk = await openFileDisk(path, { allowed: [dirname(resolve(path))] });
  return disk.device.size;
}
