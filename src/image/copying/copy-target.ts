import fs from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { extname } from 'node:path';
import { formatSize } from '../../base/size.ts';
import { systemError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice, ResizableDevice } from '../../block/block-device.ts';
import { endedError } from '../../block/positional-io.ts';
import { regularFileDevice } from '../../block/regular-file-device.ts';
import { formatForPath, formatNamed } from '../../format/formats.ts';
import type { ImageFormat } from '../../format/image-format.ts';
import { openWritableAddressDisk } from '../address-disk.ts';
import { diskArgument } from '../disk-argument.ts';
import { type OpenWritableDiskOptions, openWritableDisk, type WritableDisk } from '../file-disk.ts';
import { writeNewFile } from '../new-file.ts';

/** A promise costs more than writing a shorter piece. */
const backgroundLength = 2 ** 16;

/** How the target of a copy is opened, or made. */
export interface CopyTargetOptions extends Pick<OpenWritableDiskOptions, 'askSecret' | 'force' | 'register'> {
  /** The target's format; its content shows it where nothing is given, a new file's name, and at an NBD address it is raw. */
  readonly format?: string | undefined;
  /** Connections to an NBD server. */
  readonly connections?: number | undefined;
}

/** Where a copy goes. */
export interface CopyTarget {
  /** What messages call it. */
  readonly label: string;
  readonly device: BlockDevice;
  readonly kind: 'new file' | 'file' | 'address';
}

/** What is to be copied: its name for messages, and its size in bytes. */
export interface CopySize {
  readonly label: string;
  readonly size: number;
}

/**
 * Opens the disk that a target argument names, or makes a file for it, and calls `use` with it. A new file is there whole
 * and durable afterwards, or not at all.
 *
 * @throws VarveError `NO_SPACE` for a target that is smaller than the source, `INVALID` for an image of the store,
 *   `UNSUPPORTED` for a format that can be made by `convert` only, `READ_ONLY`, `BUSY`, and what opening it throws
 */
export async function withCopyTarget<T>(
  argument: string,
  source: CopySize,
  options: CopyTargetOptions,
  use: (target: CopyTarget) => Promise<T>,
): Promise<T> {
  const disk = diskArgument(argument);
  if (disk.kind === 'address') {
    return await useOpen('address', await openWritableAddressDisk(disk.address, options), source, use);
  }
  const path = disk.kind === 'file' ? disk.path : newFilePath(disk.reference);
  if (fs.existsSync(path)) return await useOpen('file', await openWritableDisk(path, options), source, use);
  return await useNew(path, source, options, use);
}

/** A name without a `/` that is that of no file yet: one that ends like a disk file is meant to be one. */
function newFilePath(reference: string): string {
  if (extname(reference) !== '' && formatForPath(reference) !== undefined) return reference;
  const advice = `write varve import SOURCE ${reference}, with --update for its next snapshot, or ./${reference} for a file`;
  throw new VarveError('INVALID', `cannot copy to ${reference}, an image of the store: ${advice}`);
}

async function useOpen<T>(
  kind: CopyTarget['kind'],
  opened: WritableDisk,
  { label, size }: CopySize,
  use: (target: CopyTarget) => Promise<T>,
): Promise<T> {
  await using disk = opened;
  const device = disk.image;
  if (device.size >= size) return await use({ kind, label: disk.label, device });
  const sizes = `it has ${formatSize(device.size)}, and the disk ${formatSize(size)}`;
  throw new VarveError('NO_SPACE', `cannot copy ${label} to ${disk.label}: ${sizes}`);
}

async function useNew<T>(
  path: string,
  { size }: CopySize,
  { format: name }: CopyTargetOptions,
  use: (target: CopyTarget) => Promise<T>,
): Promise<T> {
  const format = name === undefined ? (formatForPath(path) ?? formatNamed('raw')) : formatNamed(name);
  const { create } = format;
  if (create === undefined) {
    throw new VarveError('UNSUPPORTED', `cannot copy into a new ${format.name} file; varve convert makes those`);
  }
  const results: T[] = [];
  await writeNewFile(path, { force: false }, async (handle) => {
    const file = await leftOpen(handle, path);
    await create(file, { size });
    await using image = await openNew(format, file, path);
    results.push(await use({ kind: 'new file', label: path, device: image }));
    await image.flush();
  });
  return results[0] as T;
}

async function openNew(format: ImageFormat, file: ResizableDevice, path: string): Promise<BlockDevice> {
  return await format.open(file, { name: path, writable: true });
}

/** Writes in the thread pool, so that a server's answers are read meanwhile. */
async function writeInBackground(file: FileHandle, source: Uint8Array, offset: number, path: string): Promise<void> {
  try {
    for (let done = 0; done < source.length; ) {
      const { bytesWritten } = await file.write(source, done, source.length - done, offset + done);
      if (bytesWritten === 0) throw endedError('write', path, offset + done);
      done += bytesWritten;
    }
  } catch (error) {
    throw systemError(`write ${path}`, error);
  }
}

/** A device over a file that whoever opened it closes. */
async function leftOpen(handle: FileHandle, path: string): Promise<ResizableDevice> {
  const { blksize: blockSize } = await handle.stat();
  const file = regularFileDevice({ handle, size: 0, blockSize, readOnly: false, label: path });
  return {
    get size() {
      return file.size;
    },
    blockSize,
    supports: file.supports,
    read: (target, offset) => file.read(target, offset),
    write(source, offset) {
      const isLong = source.length >= backgroundLength && offset + source.length <= file.size;
      return isLong ? writeInBackground(handle, source, offset, path) : file.write(source, offset);
    },
    zero: (offset, length) => file.zero(offset, length),
    trim: (offset, length) => file.trim(offset, length),
    flush: () => file.flush(),
    extents: (offset, length) => file.extents(offset, length),
    resize: (size) => file.resize(size),
    async [Symbol.asyncDispose]() {},
  };
}
