import fs from 'node:fs/promises';
import { systemError, VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { checkedDevice } from '../block/checked-device.ts';
import { openFileDevice } from '../block/file-device.ts';
import { memoryDevice } from '../block/memory-device.ts';
import { followBackingFiles } from '../format/backing-files.ts';
import { openImage } from '../format/formats.ts';
import type { FormatDevice, FormatInformation, OpenBacking } from '../format/image-format.ts';
import { type SourceIdentity, sameSource, sourceIdentity } from '../store/source-table.ts';

/** How a disk in a file is opened. */
export interface OpenFileDiskOptions {
  /** The name of the file's format; its content shows it where nothing is given. */
  readonly format?: string | undefined;
  /** Whether the files that the image builds on are opened, too, wherever they are. */
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

/**
 * Opens the disk in a file, or a block device, for reading.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION` also for an image that builds on another while `follow` is not set,
 *   `UNSUPPORTED`, `CORRUPT`, `INVALID` for what is no disk, `IO`
 */
export async function openFileDisk(path: string, options: OpenFileDiskOptions = {}): Promise<FileDisk> {
  const { format, follow = false } = options;
  const files: DiskFile[] = [];
  const openFile = async (each: string): Promise<BlockDevice> => {
    files.push({ path: each, identity: await identityOf(each) });
    return await openFileDevice(each, { readOnly: true });
  };
  const openBacking = follow ? await followBackingFiles({ path, allowed: ['/'], openFile }) : refuseBacking(path);
  const file = await openFile(path);
  const opened = await openImage(file, { name: path, format, openBacking });
  return fileDisk(files[0]?.identity === undefined ? 'block device' : 'file', path, opened, files);
}

/**
 * Opens the disk in a file that has no name, such as one that a stream was written to. The file belongs to the disk,
 * and is closed when opening it fails.
 *
 * @throws VarveError as `openFileDisk` does
 */
export async function openStreamDisk(file: BlockDevice, label: string, format?: string): Promise<FileDisk> {
  const refuse = async (name: string): Promise<BlockDevice> => {
    const what = `cannot open ${label}: it builds on ${JSON.stringify(name)}`;
    throw new VarveError('PERMISSION', `${what}, which can be followed from a file only; give the file's name`);
  };
  return fileDisk('stream', label, await openImage(file, { name: label, format, openBacking: refuse }), []);
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
  const file = await openFileDevice(path, { readOnly: true });
  await using opened = await openImage(file, { name: path, format, openBacking: async () => memoryDevice(0) });
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
    throw new VarveError('PERMISSION', `${what}; give --follow to have that file read, too, if you trust the image`);
  };
}

/** `undefined` for what is no regular file. */
async function identityOf(path: string): Promise<SourceIdentity | undefined> {
  try {
    const stats = await fs.stat(path, { bigint: true });
    return stats.isFile() ? sourceIdentity(stats) : undefined;
  } catch (error) {
    throw systemError(`open ${path}`, error);
  }
}
