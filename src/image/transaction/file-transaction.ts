import fs from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import type { BlockDevice } from '../../block/block-device.ts';
import { checkedDevice } from '../../block/checked-device.ts';
import { openFileDisk, openWritableDisk } from '../file-disk.ts';
import { commitTogether } from '../file-history/commit-together.ts';
import { readImageFile } from '../file-history/image-file.ts';
import { backingReference, overlayBase, writeOverlay } from '../file-history/overlay-file.ts';
import { makeOwnDirectory, type OwnDirectory } from './own-directory.ts';

/** How a disk file is changed in a transaction. */
export interface FileTransactionOptions {
  /** Where it is noted which disk files build on which. */
  readonly register?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * A private view of a disk file that is written to: an overlay in a directory of its own beside it, merged into the file, or
 * thrown away. Disposing throws away what was not committed.
 */
export class FileTransaction implements AsyncDisposable {
  /** Goes with the transaction. */
  readonly directory: string;
  readonly device: BlockDevice;
  /** Where the disk file really is. */
  readonly file: string;
  readonly #directory: OwnDirectory;
  readonly #overlay: string;
  readonly #disk: AsyncDisposable;

  private constructor(file: string, directory: OwnDirectory, overlay: string, disk: FileTransactionDisk) {
    this.file = file;
    this.directory = directory.path;
    this.#directory = directory;
    this.device = checkedDevice(disk.image, { label: overlay });
    this.#overlay = overlay;
    this.#disk = disk;
  }

  /** @throws VarveError as opening it does, `READ_ONLY` or `PERMISSION` where nothing can be put beside it */
  static async begin(path: string, options: FileTransactionOptions): Promise<FileTransaction> {
    await using stack = new AsyncDisposableStack();
    const directory = stack.use(await makeOwnDirectory(path));
    const overlay = join(directory.path, basename(path).replace(/\.[^.]*$/, '.qcow2'));
    const file = await writeOverlayOf(path, directory.path, overlay);
    const disk = await openWritableDisk(overlay, { ...options, allowed: [dirname(resolve(path))] });
    stack.move();
    return new FileTransaction(file, directory, overlay, disk);
  }

  /**
   * Makes what was written part of the files, durably: of all of them, or of none.
   *
   * @throws VarveError `CONFLICT` when one has changed
   */
  static async commitAll(transactions: readonly FileTransaction[], options: FileTransactionOptions): Promise<void> {
    for (const each of transactions) {
      await each.device.flush();
      await each.#disk[Symbol.asyncDispose]();
    }
    const allowed = transactions.map(({ directory }) => dirname(directory));
    const overlays = transactions.map((each) => each.#overlay);
    await commitTogether(overlays, { ...options, allowed, delete: true });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#disk[Symbol.asyncDispose]();
    await this.#directory[Symbol.asyncDispose]();
  }
}

type FileTransactionDisk = Awaited<ReturnType<typeof openWritableDisk>>;

/** The path of the file that it builds on, after all links. */
async function writeOverlayOf(path: string, directory: string, overlay: string): Promise<string> {
  const base = await readImageFile(path);
  const note = { message: 'transaction', author: '', time: Date.now() };
  const size = await sizeOf(path);
  const onto = await overlayBase(base.path, backingReference(directory, base), note);
  await using file = await fs.open(overlay, 'wx+', 0o600);
  await writeOverlay(file, overlay, size, onto);
  return base.path;
}

async function sizeOf(path: string): Promise<number> {
  await using disk = await openFileDisk(path, { allowed: [dirname(resolve(path))] });
  return disk.device.size;
}
