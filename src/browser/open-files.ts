import { VarveError } from '../base/varve-error.ts';
import type { FileKind, FileStat } from '../filesystem/file-system.ts';
import { type GuestFile, nameOf, textOf } from '../guest/guest-tree.ts';
import type { MountedVolume } from '../guest/mount-volumes.ts';
import { openGuest } from '../guest/open-guest.ts';
import { readPart } from '../guest/read-part.ts';
import type { OpenedDisk } from './open-disk.ts';

/** A file inside a disk. */
export interface DiskFile {
  readonly name: string;
  /** Its own path, without symlinks. Bytes of names that are no UTF-8 are the lone surrogates U+DC80 to U+DCFF. */
  readonly path: string;
  readonly kind: FileKind;
  readonly stat: FileStat;
}

/** Which part of a file is read. */
export interface ReadFileOptions {
  /** In bytes; 0 where nothing is given. */
  readonly offset?: number | undefined;
  /** In bytes; up to the file's end where nothing is given. */
  readonly length?: number | undefined;
}

/** The files of a disk, as the system on it would see them. Disposing closes its file systems, and leaves the disk open. */
export interface DiskFiles extends AsyncDisposable {
  /** What the disk is made of: partitions and other volumes, and where they are mounted. */
  readonly volumes: readonly MountedVolume[];
  /** What a directory holds, by the bytes of the names. @throws VarveError `NOT_FOUND`, `INVALID`, `CORRUPT` */
  list(path: string): Promise<DiskFile[]>;
  /** What is at a path, symlinks followed. @throws VarveError `NOT_FOUND`, `INVALID`, `CORRUPT` */
  stat(path: string): Promise<DiskFile>;
  /** Where the symlink at a path leads. @throws VarveError `NOT_FOUND`, `INVALID` for what is none, `CORRUPT` */
  readLink(path: string): Promise<string>;
  /**
   * The bytes of a file, or a part of them, at most 256 MiB.
   *
   * @throws VarveError `NOT_FOUND`, `INVALID` for what is no file, or for more than that, `CORRUPT`
   */
  read(path: string, options?: ReadFileOptions): Promise<Uint8Array<ArrayBuffer>>;
  /** The same as a stream, of any length. */
  stream(path: string, options?: ReadFileOptions): Promise<ReadableStream<Uint8Array<ArrayBuffer>>>;
}

/** What a disk says of a file's size is a stranger's word. */
const longestRead = 2 ** 28;
const pieceLength = 2 ** 20;

/**
 * Looks inside a disk: at its partitions, volumes and file systems. The root is the file system that has an `/etc/fstab`,
 * else the one with an `/etc`, else the first; what its fstab mounts and this disk has is mounted.
 *
 * @throws VarveError `UNSUPPORTED` where no file system on it is known or all are encrypted, `CORRUPT`
 */
export async function openFiles(disk: Pick<OpenedDisk, 'device' | 'label'>): Promise<DiskFiles> {
  const { label } = disk;
  const guest = await openGuest(disk.device, { name: label });
  const { tree, volumes } = guest;
  const fileAt = async (path: string): Promise<GuestFile> => {
    const file = await tree.resolve(path);
    if (file.kind === 'file') return file;
    throw new VarveError('INVALID', `cannot read ${label}:${path}: it is a ${file.kind}, and no file`);
  };
  return {
    volumes,
    list: async (path) => (await tree.list(await directoryAt(path))).map(diskFile),
    stat: async (path) => diskFile(await tree.resolve(path)),
    async readLink(path) {
      const { fileSystem, kind, node } = await tree.resolve(path, { followLast: false });
      if (kind === 'symlink') return textOf(await fileSystem.readLink(node));
      throw new VarveError('INVALID', `cannot read ${label}:${path} as a symlink: it is a ${kind}`);
    },
    async read(path, options = {}) {
      const file = await fileAt(path);
      const { end, start } = rangeIn(file, options);
      if (end - start > longestRead) {
        const what = `cannot read ${label}:${path} at once: it has ${end - start} bytes`;
        throw new VarveError('INVALID', `${what}; read a part of it, or stream it`);
      }
      return await readPart(file, start, end - start);
    },
    stream: async (path, options = {}) => streamOf(await fileAt(path), options),
    [Symbol.asyncDispose]: () => Promise.resolve(guest[Symbol.asyncDispose]()),
  };

  async function directoryAt(path: string): Promise<GuestFile> {
    const directory = await tree.resolve(path);
    if (directory.kind === 'directory') return directory;
    throw new VarveError('INVALID', `cannot list ${label}:${path}: it is a ${directory.kind}, and no directory`);
  }
}

function diskFile({ kind, path, stat }: GuestFile): DiskFile {
  return { name: nameOf(path), path, kind, stat };
}

/** @throws RangeError for what are no byte counts */
function rangeIn({ stat: { size } }: GuestFile, { length = size, offset = 0 }: ReadFileOptions) {
  if (!isByteCount(offset) || !isByteCount(length)) throw new RangeError(`${length} bytes at offset ${offset}`);
  const start = Math.min(offset, size);
  return { start, end: Math.min(start + length, size) };
}

function isByteCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function streamOf(file: GuestFile, options: ReadFileOptions): ReadableStream<Uint8Array<ArrayBuffer>> {
  const { end, start } = rangeIn(file, options);
  let position = start;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      const piece = await readPart(file, position, Math.min(end - position, pieceLength));
      position += piece.length;
      if (piece.length > 0) controller.enqueue(piece);
      if (piece.length === 0 || position >= end) controller.close();
    },
  });
}
