import fs from 'node:fs/promises';
import { isVarveError, systemError, VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { checkedDevice } from '../block/checked-device.ts';
import { openFileDevice } from '../block/file-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { followBackingFiles } from '../format/backing-files.ts';
import { type OpenImageFileOptions, openImage } from '../format/formats.ts';
import type { AskSecret, FormatDevice, FormatInformation, OpenBacking, OpenPart } from '../format/image-format.ts';
import { isInside } from '../format/inside-directory.ts';
import { followParts } from '../format/part-files.ts';
import { type SourceIdentity, sameSource, sourceIdentity } from '../store/source-table.ts';
import { informationInside, type UnpackedFile, unpackIfCompressed } from './compressed-file.ts';
import { withBundleHint } from './disk-bundle.ts';
import { type FindChildrenOptions, requireNoChildren } from './file-history/children.ts';
import { finishCommitFirst } from './file-history/finish-commit-first.ts';
import { type FilterChain, filteredFile, filteredImage } from './filters/filter-chain.ts';

/** How a disk in a file is opened. */
export interface OpenFileDiskOptions {
  /** The name of the file's format; its content shows it where nothing is given. */
  readonly format?: string | undefined;
  /** Whether the files that the image builds on, or keeps parts in, are opened, too, wherever they are. */
  readonly follow?: boolean | undefined;
  /** Directories in which, and below which, such files are opened without `follow`. */
  readonly allowed?: readonly string[] | undefined;
  /** Reads a file even while another program writes to it, as it happens to be. */
  readonly forceShare?: boolean | undefined;
  /** Gives the passphrase or key of an encrypted image, which is refused otherwise. */
  readonly askSecret?: AskSecret | undefined;
  /** The name or id of a snapshot inside the file: the disk as it was then. */
  readonly internalSnapshot?: string | undefined;
  /** The name of the disk that is meant, where the file holds several, as an OVA does. */
  readonly member?: string | undefined;
  /** The file itself is meant: one that is compressed is not unpacked, but refused. */
  readonly asItIs?: boolean | undefined;
  /** Where a compressed file is unpacked; TMPDIR, or /var/tmp, where nothing is given. */
  readonly unpackDirectory?: string | undefined;
  /** Stops the unpacking of a compressed file with `ABORTED`. */
  readonly signal?: AbortSignal | undefined;
  /** What the file, and the disk in it, is read through. */
  readonly filters?: FilterChain | undefined;
}

/** A file that a disk is read from, as it was just before it was opened. */
export interface DiskFile {
  readonly path: string;
  /** Left out for a block device, which does not show its changes. */
  readonly identity: SourceIdentity | undefined;
}

/** A disk in a file, on a block device of this machine, from a stream, at an address or in a store
 * and seen through filters, open for reading. Disposing of it closes it. */
export interface FileDisk extends AsyncDisposable {
  readonly kind: 'file' | 'block device' | 'stream' | 'address' | 'snapshot content';
  /** What messages call it. */
  readonly label: string;
  readonly device: BlockDevice;
  /** The same without checks of arguments, and with what its format can tell. */
  readonly image: FormatDevice;
  readonly information: FormatInformation;
  /** The file and, when they were followed, those it builds on or keeps parts in. */
  readonly files: readonly DiskFile[];
  /** The paths of the file and of those it builds on, the uppermost first: what `depth` of a map counts. */
  readonly chain: readonly string[];
  /** What the file is compressed with, and its length then, in bytes; left out where it is not. */
  readonly packing?: UnpackedFile['packing'];
}

/** How a disk in a file is opened to be changed. */
export interface OpenWritableDiskOptions extends OpenFileDiskOptions, FindChildrenOptions {
  /** Also where other files build on it, which changes what they hold. */
  readonly force?: boolean | undefined;
}

/** A disk in a file that is open to be changed. Disposing of it closes it, and does not flush. */
export interface WritableDisk extends AsyncDisposable {
  readonly label: string;
  readonly image: FormatDevice;
}

/**
 * Opens the disk in a file, or a block device, for reading. While it is open, nobody who asks can open it for writing.
 * A compressed file (gzip, xz, zstd, bzip2) is unpacked first, unless it is to be read as `raw`.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION` also for an image that builds on another while `follow` is not set,
 *   `UNSUPPORTED`, `CORRUPT`, `INVALID` for what is no disk, `BUSY` while others write to it, `IO`
 */
export async function openFileDisk(path: string, options: OpenFileDiskOptions = {}): Promise<FileDisk> {
  const files: DiskFile[] = [];
  const chain = [path];
  const openFile = async (each: string): Promise<BlockDevice> => {
    files.push({ path: each, identity: await identityOf(each) });
    return await openForReading(each, options);
  };
  const openBacking = (each: string): Promise<BlockDevice> => {
    chain.push(each);
    return openFile(each);
  };
  const given = await openFile(path);
  const kind = files[0]?.identity === undefined ? 'block device' : 'file';
  const { file, packing } = await insideOf(given, kind, path, options, openFile);
  const opening = { openBacking, openBackingPart: openFile, openPart: openFile };
  const hooks = await closingOnFailure(file, hooksFor(path, options, opening));
  const opened = await openImage(file, { name: path, format: options.format, ...hooks });
  return fileDisk(kind, path, await filteredImage(opened, options.filters, path), { files, chain, packing });
}

/**
 * The file that the filters of files make of one, and what is inside it, where it is compressed and not to be taken as it
 * is. It belongs to what is returned.
 */
export async function insideOf(
  given: BlockDevice,
  kind: FileDisk['kind'],
  label: string,
  { asItIs = false, filters, format, signal, unpackDirectory: directory }: OpenFileDiskOptions,
  openFile?: OpenFile,
): Promise<UnpackedFile> {
  const options = { label, directory, signal };
  const unpack = async (each: BlockDevice): Promise<BlockDevice> => (await unpackIfCompressed(each, options)).file;
  const file = await filteredFile(given, filters, { label, openFile, unpack, writable: false });
  if (kind === 'block device' || format === 'raw' || asItIs) return { file, packing: undefined };
  return await unpackIfCompressed(file, options);
}

/**
 * Opens the disk in a file, or a block device, for changing it. While it is open, nobody else who asks can open it.
 *
 * @throws VarveError as `openFileDisk` does, `BUSY` also while others read it or build on it, `READ_ONLY`, `UNSUPPORTED` for a format
 *   that is not written in place
 */
export async function openWritableDisk(path: string, options: OpenWritableDiskOptions = {}): Promise<WritableDisk> {
  if (!options.force) await requireNoChildren(path, `change ${path}`, { register: options.register });
  const openPart = async (each: string) => {
    await finishCommitFirst(each);
    return await openFileDevice(each, { lock: true });
  };
  const context = { label: path, openFile: openPart, unpack: async (each: BlockDevice) => each, writable: true };
  const file = await filteredFile(await openPart(path), options.filters, context);
  const openToRead = (each: string) => openForReading(each, options);
  const opening = { openBacking: openToRead, openBackingPart: openToRead, openPart };
  const hooks = await closingOnFailure(file, hooksFor(path, options, opening));
  const opened = await openImage(file, { name: path, format: options.format, writable: true, ...hooks });
  const image = await filteredImage(opened, options.filters, path);
  return { label: path, image, [Symbol.asyncDispose]: () => Promise.resolve(image[Symbol.asyncDispose]()) };
}

type OpenFile = (path: string) => Promise<BlockDevice>;

/** What opens the files that an image builds on, those with parts of them, and those with parts of the image itself. */
type Opening = Readonly<Record<'openBacking' | 'openBackingPart' | 'openPart', OpenFile>>;

/** How other files are opened, or refused, that the image at `path` asks for. */
async function hooksFor(
  path: string,
  { allowed = [], askSecret, follow = false, internalSnapshot, member }: OpenFileDiskOptions,
  { openBacking, openBackingPart, openPart }: Opening,
): Promise<Omit<OpenImageFileOptions, 'name' | 'format'>> {
  const secret = askSecret === undefined ? {} : { askSecret };
  const given = { ...secret, ...(member === undefined ? {} : { member }), internalSnapshot };
  if (!follow && allowed.length === 0) {
    return { openBacking: refuseBacking(path), openPart: refusePart(path), ...given };
  }
  const directories = follow ? ['/'] : await Promise.all(allowed.map(realDirectory));
  const partsOf = (image: string) => followParts(image, within(directories, image, openBackingPart));
  const backing = await followBackingFiles({ path, allowed: directories, openFile: openBacking, partsOf, askSecret });
  return { openBacking: backing, openPart: followParts(path, within(directories, path, openPart)), ...given };
}

/** Opens files in some directories, and refuses others. */
function within(directories: readonly string[], image: string, open: OpenFile): OpenFile {
  return async (path) => {
    if (directories.some((directory) => isInside(directory, path))) return await open(path);
    const what = `cannot open ${image}: a part of it is in ${path}`;
    throw new VarveError('PERMISSION', `${what}, which is in no directory that is allowed`);
  };
}

async function realDirectory(path: string): Promise<string> {
  try {
    return await fs.realpath(path);
  } catch (error) {
    throw systemError(`look into ${path}`, error);
  }
}

async function openForReading(path: string, { forceShare = false }: OpenFileDiskOptions): Promise<BlockDevice> {
  await finishCommitFirst(path);
  try {
    return await openFileDevice(path, { readOnly: true, lock: !forceShare });
  } catch (error) {
    if (!isVarveError(error, 'BUSY')) throw await withBundleHint(path, error);
    const advice = 'wait until it is done, or give --force-share (import: --live) to read what it happens to hold';
    throw new VarveError('BUSY', `${error.message}; ${advice}`, { cause: error });
  }
}

async function closingOnFailure<T>(file: BlockDevice, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Opens the disk in a file that has no name, such as one that a stream was written to, and unpacks it if it is
 * compressed. The file belongs to the disk, and is closed when opening it fails.
 *
 * @throws VarveError as `openFileDisk` does
 */
export async function openStreamDisk(
  given: BlockDevice,
  label: string,
  options: Pick<OpenFileDiskOptions, 'filters' | 'format' | 'signal' | 'unpackDirectory'> = {},
): Promise<FileDisk> {
  return await openDeviceDisk(given, { kind: 'stream', label }, options);
}

/**
 * Opens the disk in what is no file of this machine, as `openStreamDisk` does. Files that it builds on, or keeps parts
 * in, are refused.
 *
 * @throws VarveError as `openFileDisk` does
 */
export async function openDeviceDisk(
  given: BlockDevice,
  { kind, label }: Pick<FileDisk, 'kind' | 'label'>,
  options: Omit<OpenFileDiskOptions, 'follow' | 'allowed' | 'forceShare'> = {},
): Promise<FileDisk> {
  const refuse = async (name: string): Promise<BlockDevice> => {
    const what = `cannot open ${label}: it needs ${JSON.stringify(name)}, too`;
    throw new VarveError('PERMISSION', `${what}, which can be followed from a file only; give the file's name`);
  };
  const { askSecret, format, internalSnapshot, member } = options;
  const { file, packing } = await insideOf(given, kind, label, options);
  const hooks = { openBacking: refuse, openPart: refuse, ...(askSecret === undefined ? {} : { askSecret }) };
  const which = { internalSnapshot, ...(member === undefined ? {} : { member }) };
  const opened = await openImage(file, { name: label, format, ...hooks, ...which });
  const image = await filteredImage(opened, options.filters, label);
  return fileDisk(kind, label, image, { files: [], chain: [label], packing });
}

function fileDisk(
  kind: FileDisk['kind'],
  label: string,
  image: FormatDevice,
  { chain, files, packing }: Pick<FileDisk, 'chain' | 'files' | 'packing'>,
): FileDisk {
  const device = checkedDevice(image, { label });
  const information = informationInside(image.information(), packing);
  return {
    ...{ kind, label, device, image, information, files, chain, packing },
    [Symbol.asyncDispose]: () => Promise.resolve(device[Symbol.asyncDispose]()),
  };
}

/**
 * What the image in a file says of itself. A file that it builds on is named, not opened.
 *
 * @throws VarveError as `openFileDisk` does
 */
export async function fileInformation(
  path: string,
  format?: string,
  { asItIs }: Pick<OpenFileDiskOptions, 'asItIs'> = {},
): Promise<FormatInformation> {
  const given = await openForReading(path, { forceShare: true });
  const isFile = (await closingOnFailure(given, identityOf(path))) !== undefined;
  const { file, packing } = await insideOf(given, isFile ? 'file' : 'block device', path, { format, asItIs });
  const options = { informationOnly: true, openBacking: openNothing, openPart: openNothing };
  await using opened = await openImage(file, { name: path, format, ...options });
  return informationInside(opened.information(), packing);
}

/** In the place of the files that an image names, where only its own header is asked for. */
export async function openNothing(): Promise<BlockDevice> {
  return memoryDevice(0);
}

/**
 * The first of a disk's files that is not as it was when the disk was opened, if there is one.
 * @throws VarveError by errno, other than for a file that is gone: that is a change
 */
export async function changedFile(disk: FileDisk): Promise<string | undefined> {
  for (const { path, identity } of disk.files) {
    if (identity === undefined) continue;
    const now = await identityOf(path).catch((error) => {
      if ((error as VarveError).code === 'NOT_FOUND') return undefined;
      throw error;
    });
    if (now === undefined || !sameSource(identity, now)) return path;
  }
  return undefined;
}

function refuseBacking(path: string): OpenBacking {
  return async (name) => {
    const what = `cannot open ${path}: it builds on ${JSON.stringify(name)}`;
    throw new VarveError(
      'PERMISSION',
      `${what}; give --follow, or --allow its directory, to have that file read, too, if you trust the image`,
    );
  };
}

function refusePart(path: string): OpenPart {
  return async (name) => {
    const what = `cannot open ${path}: a part of it is in ${JSON.stringify(name)}`;
    throw new VarveError(
      'PERMISSION',
      `${what}; give --follow, or --allow its directory, to have that file read, too, if you trust the image`,
    );
  };
}

/** What tells a file from others, and from itself at another time; `undefined` for what is no regular file. */
export async function identityOf(path: string): Promise<SourceIdentity | undefined> {
  try {
    const stats = await fs.stat(path, { bigint: true });
    return stats.isFile() ? sourceIdentity(stats) : undefined;
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}
