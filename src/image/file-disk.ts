import fs from 'node:fs/promises';
import { systemError, VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { checkedDevice } from '../block/checked-device.ts';
import { openFileDevice } from '../block/file-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import type { FormatDevice, FormatInformation } from '../format/image-format.ts';
import { type SourceIdentity, sameSource, sourceIdentity } from '../store/source-table.ts';
import { backingPath } from './backing-path.ts';
import { formatNamed, probeFormat } from './image-formats.ts';

/** How a disk in a file is opened. */
export interface OpenFileDiskOptions {
  /** The name of the file's format; its content shows it where nothing is given. */
  readonly format?: string | undefined;
  /** Whether the files that the image builds on are opened, too. */
  readonly follow?: boolean | undefined;
}

/** A file that a disk is read from, as it was just before it was opened. */
export interface DiskFile {
  readonly path: string;
  /** Left out for a block device, which does not show its changes. */
  readonly identity: SourceIdentity | undefined;
}

/** A disk in a file, on a block device of this machine or from a stream, open for reading. Disposing of it closes it. */
export interface FileDisk extends AsyncDisposable {
  readonly kind: 'file' | 'block device' | 'stream';
  /** What messages call it. */
  readonly label: string;
  readonly device: BlockDevice;
  readonly information: FormatInformation;
  /** The file and, when they were followed, those it builds on, the uppermost first. */
  readonly files: readonly DiskFile[];
}

/** An image rarely builds on more than a handful; each one costs every read of what it does not hold. */
const maximumChainLength = 256;

/**
 * Opens the disk in a file, or a block device, for reading.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION` also for an image that builds on another while `follow` is not set,
 *   `UNSUPPORTED`, `CORRUPT`, `INVALID` for what is no disk, `IO`
 */
export async function openFileDisk(path: string, options: OpenFileDiskOptions = {}): Promise<FileDisk> {
  const files: DiskFile[] = [];
  const backing = options.follow ? 'follow' : 'unasked';
  const opened = await openLayer({ path, label: path, format: options.format, files, backing });
  return fileDisk(files[0]?.identity === undefined ? 'block device' : 'file', path, opened, files);
}

/**
 * Opens the disk in a file that has no name, such as one that a stream was written to; names that it builds on are
 * relative to the current directory. The file belongs to the disk, and is closed when opening it fails.
 *
 * @throws VarveError as `openFileDisk` does
 */
export async function openStreamDisk(
  file: BlockDevice,
  label: string,
  options: OpenFileDiskOptions = {},
): Promise<FileDisk> {
  const files: DiskFile[] = [];
  const backing = options.follow ? 'follow' : 'unasked';
  const opened = await openFormat({ path: label, label, format: options.format, files, backing }, file);
  return fileDisk('stream', label, opened, files);
}

function fileDisk(kind: FileDisk['kind'], label: string, opened: FormatDevice, files: readonly DiskFile[]): FileDisk {
  const device = checkedDevice(opened, { label });
  return {
    ...{ kind, label, device, information: opened.information(), files },
    [Symbol.asyncDispose]: () => Promise.resolve(device[Symbol.asyncDispose]()),
  };
}

/**
 * What the image in a file says of itself. A file that it builds on is named, not opened.
 *
 * @throws VarveError as `openFileDisk` does
 */
export async function fileInformation(path: string, format?: string): Promise<FormatInformation> {
  await using opened = await openLayer({ path, label: path, format, files: [], backing: 'absent' });
  return opened.information();
}

/**
 * The first of a disk's files that is not as it was when the disk was opened, if there is one.
 * @throws VarveError by errno, other than for a file that is gone: that is a change
 */
export async function changedFile(disk: FileDisk): Promise<string | undefined> {
  for (const { path, identity } of disk.files) {
    if (identity === undefined) continue;
    const now = await identityOf(path).catch((error) => {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw systemError(`look at ${path}`, error);
    });
    if (now === undefined || !sameSource(identity, now)) return path;
  }
  return undefined;
}

/**
 * What happens to the file that an image builds on. `unasked`: it is not to be opened. `untyped`: neither, as nobody
 * said that the image is one. `absent`: it counts as empty, for who only wants to know what the image says of itself.
 */
type BackingPolicy = 'follow' | 'unasked' | 'untyped' | 'absent';

/** One file of a chain, to be opened. */
interface Layer {
  readonly path: string;
  readonly label: string;
  readonly format: string | undefined;
  /** Those above it; it is added. */
  readonly files: DiskFile[];
  readonly backing: BackingPolicy;
}

async function openLayer(layer: Layer): Promise<FormatDevice> {
  const { path, label, files } = layer;
  const identity = await identityOf(path).catch((error) => {
    throw systemError(`open ${label}`, error);
  });
  refuseLongChain(files, identity, label);
  files.push({ path, identity });
  return await openFormat(layer, await openFileDevice(path, { readOnly: true, label }));
}

/** The file is closed when this fails. */
async function openFormat(layer: Layer, file: BlockDevice): Promise<FormatDevice> {
  const { label } = layer;
  try {
    const format = layer.format === undefined ? await probeFormat(file, label) : formatNamed(layer.format);
    return await format.open(file, { name: label, openBacking: (name, typed) => openBacking(layer, name, typed) });
  } catch (error) {
    await file[Symbol.asyncDispose]();
    throw error;
  }
}

/**
 * Opens what an image builds on. Where the image does not say which format that has, its content tells; but then it
 * may not build on a further file: a guest that writes an image's header into its raw disk would choose which file of
 * the host that is.
 */
async function openBacking(layer: Layer, name: string, format: string | undefined): Promise<BlockDevice> {
  const { path: overlay, label: overlayLabel, files, backing } = layer;
  if (backing === 'absent') return memoryDevice(0);
  if (backing !== 'follow') throw refusal(backing, overlayLabel, name);
  const path = backingPath(overlay, name);
  const label = `${path}, on which ${overlay} builds`;
  return await openLayer({ path, label, format, files, backing: format === undefined ? 'untyped' : 'follow' });
}

function refusal(backing: 'unasked' | 'untyped', label: string, name: string): VarveError {
  const what = `cannot open ${label}: it builds on ${JSON.stringify(name)}`;
  if (backing === 'unasked') {
    return new VarveError('PERMISSION', `${what}; give --follow to have that file read, too, if you trust the image`);
  }
  const why = 'and the image above it does not say that it is an image at all';
  return new VarveError('PERMISSION', `${what}, ${why}; let it say so with qemu-img rebase -u -F`);
}

function refuseLongChain(files: readonly DiskFile[], identity: SourceIdentity | undefined, label: string): void {
  if (files.length >= maximumChainLength) {
    throw new VarveError('UNSUPPORTED', `cannot open ${label}: the chain has more than ${maximumChainLength} files`);
  }
  const isSame = (other: DiskFile) =>
    other.identity?.device === identity?.device && other.identity?.inode === identity?.inode;
  if (identity === undefined || !files.some(isSame)) return;
  throw new VarveError('CORRUPT', `cannot open ${label}: it builds on itself`);
}

/** `undefined` for what is no regular file. */
async function identityOf(path: string): Promise<SourceIdentity | undefined> {
  const stats = await fs.stat(path, { bigint: true });
  return stats.isFile() ? sourceIdentity(stats) : undefined;
}
