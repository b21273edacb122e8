import { rm } from 'node:fs/promises';
import { basename, dirname, isAbsolute, relative, resolve } from 'node:path';
import { VarveError } from '../base/varve-error.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { regularFileDevice } from '../block/regular-file-device.ts';
import { fileTarget } from '../format/file-target.ts';
import { formatForPath, formatNamed, writableFormatNamed } from '../format/formats.ts';
import type { BackingReference, CreateImageOptions, ImageFormat } from '../format/image-format.ts';
import { log } from '../log/log.ts';
import { fileInformation } from './file-disk.ts';
import { writeNewFile } from './new-file.ts';
import { allocateSpace, writeZeros } from './preallocate.ts';
import type { ImageFileOptions } from './write-options.ts';

/** How an empty disk file is made. */
export interface CreateDiskOptions extends Omit<ImageFileOptions, 'parallel' | 'signal'> {
  /** Of the disk, in bytes; that of the disk it builds on where nothing is given. */
  readonly size?: number | undefined;
  /** The name of the format; the file's extension tells it where nothing is given, and else it is raw. */
  readonly format?: string | undefined;
  /** The path of the file it builds on. A relative one is looked up from here, and stored as the way there from the file. */
  readonly backing?: string | undefined;
  /** The name of the format of that file; its content shows it where nothing is given. */
  readonly backingFormat?: string | undefined;
  /** Replaces a file that exists. */
  readonly force?: boolean | undefined;
}

/** A disk file that was made. */
export interface CreatedDisk {
  readonly format: string;
  /** Of the disk, in bytes. */
  readonly size: number;
  readonly backing?: BackingReference;
}

/**
 * Makes an empty disk file, or one that reads as another disk until it is written to. It is there whole and durable, or
 * not at all.
 *
 * @throws VarveError `EXISTS`, `INVALID` for options that do not go together, `UNSUPPORTED`, `NOT_FOUND` for the file it
 *   is to build on
 */
export async function createDisk(path: string, options: CreateDiskOptions = {}): Promise<CreatedDisk> {
  const { backing: backingPath, force = false } = options;
  const format =
    options.format === undefined ? (formatForPath(path) ?? formatNamed('raw')) : formatNamed(options.format);
  return await log.scope(`create ${path}`, async () => {
    const base = backingPath === undefined ? undefined : await baseOf(path, backingPath, options.backingFormat);
    const size = options.size ?? base?.size;
    if (size === undefined) throw new VarveError('INVALID', `how large is ${path} to be? give a size, or --backing`);
    const create = { ...createOptionsOf(options), size, ...(base === undefined ? {} : { backing: base.reference }) };
    await using dataFile = await newDataFile(path, format, create, force);
    await writeEmpty(path, format, dataFile.create, force);
    dataFile.keep();
    return { format: format.name, size, ...(base === undefined ? {} : { backing: base.reference }) };
  });
}

function createOptionsOf({
  clusterSize,
  compression,
  formatOptions,
}: CreateDiskOptions): Omit<CreateImageOptions, 'size'> {
  return {
    ...(clusterSize === undefined ? {} : { clusterSize }),
    ...(compression === undefined ? {} : { compression }),
    ...(formatOptions === undefined ? {} : { options: formatOptions }),
  };
}

async function writeEmpty(path: string, format: ImageFormat, create: CreateImageOptions, force: boolean) {
  await writeNewFile(path, { force }, async (handle) => {
    if (format.create === undefined) return await writeWhole(handle.fd, path, format, create);
    const { blksize: blockSize } = await handle.stat();
    const { inFormat, preallocation } = splitPreallocation(format, create);
    // The device is not disposed of: the file is closed by whoever opened it.
    await format.create(regularFileDevice({ handle, size: 0, blockSize, readOnly: false, label: path }), inFormat);
    const { size } = await handle.stat();
    if (preallocation === 'falloc') await allocateSpace(handle, path, size, format.name === 'raw');
    if (preallocation === 'full' && format.name === 'raw') await writeZeros(handle, path, size);
  });
}

/** A raw file has nothing inside that is laid out beforehand; its space is the file's. */
function splitPreallocation(format: ImageFormat, create: CreateImageOptions) {
  const { preallocation, ...others } = create.options ?? {};
  if (format.name !== 'raw' || preallocation === undefined) return { inFormat: create, preallocation };
  if (['off', 'falloc', 'full'].includes(preallocation)) {
    return { inFormat: { ...create, options: others }, preallocation };
  }
  throw new VarveError('INVALID', `a raw file has no preallocation=${preallocation}; choose off, falloc, full`);
}

/** For formats that are written from front to back only. */
async function writeWhole(fd: number, path: string, format: ImageFormat, create: CreateImageOptions): Promise<void> {
  const { backing, size, ...given } = create;
  // What is made to be written to is not of the form that can only be read.
  const options =
    format.name === 'vmdk' ? { ...given, options: { subformat: 'monolithicSparse', ...given.options } } : given;
  if (backing !== undefined) {
    throw new VarveError(
      'UNSUPPORTED',
      `a ${format.name} image that builds on another cannot be made here; choose qcow2`,
    );
  }
  await writableFormatNamed(format.name).write(memoryDevice(size), fileTarget(fd, path), options);
}

/** A data file that was made for an image, which is removed again unless it is kept. */
interface NewDataFile extends AsyncDisposable {
  /** How the image is to be made over it. */
  readonly create: CreateImageOptions;
  keep(): void;
}

/** Makes the file that a qcow2 image keeps its content in, where one is wanted: `data_file`, as it is reached from here. */
async function newDataFile(
  path: string,
  format: ImageFormat,
  create: CreateImageOptions,
  force: boolean,
): Promise<NewDataFile> {
  const dataPath = format.name === 'qcow2' ? create.options?.data_file : undefined;
  if (dataPath === undefined) return { create, keep: () => undefined, [Symbol.asyncDispose]: async () => undefined };
  if (resolve(dataPath) === resolve(path)) throw new VarveError('INVALID', `${path} cannot be its own data file`);
  const { preallocation } = create.options ?? {};
  await writeNewFile(dataPath, { force }, async (handle) => {
    await handle.truncate(create.size);
    if (preallocation === 'falloc') await allocateSpace(handle, dataPath, create.size, true);
    if (preallocation === 'full') await writeZeros(handle, dataPath, create.size);
  });
  let isKept = false;
  return {
    create: { ...create, options: { ...create.options, data_file: nameFrom(path, dataPath) } },
    keep() {
      isKept = true;
    },
    async [Symbol.asyncDispose]() {
      if (!isKept) await rm(dataPath, { force: true });
    },
  };
}

/** What a new image at `path` says of the file that it builds on, and that one's size. */
async function baseOf(
  path: string,
  backing: string,
  format: string | undefined,
): Promise<{ readonly reference: BackingReference; readonly size: number }> {
  if (resolve(backing) === resolve(path)) {
    throw new VarveError('INVALID', `${basename(path)} cannot build on itself`);
  }
  const information = await fileInformation(backing, format, { asItIs: true });
  const reference = { name: nameFrom(path, backing), format: information.format };
  return { reference, size: information.virtualSize };
}

/** What the image at `path` calls another file, which is given as it is reached from here. */
function nameFrom(path: string, other: string): string {
  const name = isAbsolute(other) ? other : relative(dirname(resolve(path)), resolve(other));
  // A name like nbd:x would be taken for an address.
  return /^[a-z][a-z0-9+.-]*:/i.test(name) ? `./${name}` : name;
}
