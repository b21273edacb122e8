import fs from 'node:fs';
import { join, sep } from 'node:path';
import { isVarveError, systemError, VarveError } from '../../base/varve-error.ts';
import type { FileSource, ServedFile } from './file-source.ts';

const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = fs.constants;

/**
 * The files in `directory` and below, for reading. Names are relative to it, whatever they begin with, and `\` is `/`, as
 * Windows' loaders have it. Symlinks are followed as long as they lead to what is in the directory: where a file is, is
 * asked of the kernel when it is open, so that no exchange of names in between leads elsewhere.
 *
 * @throws VarveError `NOT_FOUND` for a directory that is not there
 */
export function directorySource(directory: string): FileSource {
  let root: string;
  try {
    root = fs.realpathSync(directory);
  } catch (error) {
    throw systemError(`serve the files of ${directory}`, error);
  }
  return { open: (name) => openIn(root, name) };
}

function openIn(root: string, name: string): ServedFile | undefined {
  const parts = name.split(/[\\/]/).filter((part) => part !== '' && part !== '.');
  if (parts.includes('..') || name.includes('\0')) {
    throw new VarveError('PERMISSION', `cannot serve ${JSON.stringify(name)}: it leads out of the directory`);
  }
  if (parts.length === 0) return undefined;
  try {
    const path = fs.realpathSync.native(join(root, ...parts));
    requireInside(root, path, name);
    return openFile(root, path, name);
  } catch (error) {
    const cause = systemError(`serve ${JSON.stringify(name)}`, error);
    if (isVarveError(cause, 'NOT_FOUND')) return undefined;
    throw cause;
  }
}

function openFile(root: string, path: string, name: string): ServedFile | undefined {
  // A pipe would have whoever opens it wait for its other end.
  const fd = fs.openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    if (process.platform === 'linux') requireInside(root, fs.readlinkSync(`/proc/self/fd/${fd}`), name);
    const status = fs.fstatSync(fd);
    if (status.isFile()) return new DirectoryFile(fd, status);
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
  fs.closeSync(fd);
  return undefined;
}

function requireInside(root: string, path: string, name: string): void {
  if (path.startsWith(root === sep ? sep : root + sep)) return;
  throw new VarveError('PERMISSION', `cannot serve ${JSON.stringify(name)}: it leads out of the directory`);
}

class DirectoryFile implements ServedFile {
  readonly size: number;
  readonly version: string;
  readonly modifiedMs: number;
  #fd: number | undefined;

  constructor(fd: number, { size, dev, ino, mtimeMs, ctimeMs }: fs.Stats) {
    this.#fd = fd;
    this.size = size;
    this.modifiedMs = mtimeMs;
    this.version = `${dev}:${ino}:${size}:${mtimeMs}:${ctimeMs}`;
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    const fd = this.#fd;
    if (fd === undefined) throw new TypeError('the file is closed');
    for (let done = 0; done < target.length; ) {
      const length = await readSome(fd, target.subarray(done), offset + done);
      if (length === 0) throw new VarveError('IO', 'cannot read on: the file became shorter');
      done += length;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function readSome(fd: number, target: Uint8Array, offset: number): Promise<number> {
  const { promise, reject, resolve } = Promise.withResolvers<number>();
  fs.read(fd, target, 0, target.length, offset, (error, length) =>
    error === null ? resolve(length) : reject(systemError('read a file that is served', error)),
  );
  return promise;
}
