import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { randomHex } from '../base/random.ts';
import { isVarveError, systemError, VarveError } from '../base/varve-error.ts';
import type { NewObject, ObjectEntry, PackStore } from './pack-store.ts';

// A head over a thousand snapshots is spread over as many packs; opening one takes a tenth of a read (bench/read.ts).
const openFilesLimit = 512;
/** Packs never change and are read often: their files stay open. All else may be replaced by another process. */
const keptPrefix = 'packs/';
/** Where objects grow before they have their key; what a crash leaves there is nobody's. */
export const temporaryPrefix = 'tmp';

/**
 * A `PackStore` of plain files. Reads finish synchronously: a read from the page cache costs less than a promise.
 * An object is written beside, synced, renamed into place, and its directory synced.
 */
export class DirectoryPackStore implements PackStore {
  readonly #root: string;
  /** Open files by key, the least recently read first. */
  readonly #files = new Map<string, number>();

  constructor(root: string) {
    this.#root = root;
  }

  create(): NewObject {
    return new NewFile(this.#root);
  }

  createIfAbsent(key: string, bytes: Uint8Array): boolean {
    try {
      this.#writeWhole(key, bytes, fs.linkSync);
      return true;
    } catch (error) {
      // The same is said of a file where a folder should be.
      if (isVarveError(error, 'EXISTS') && fs.existsSync(join(this.#root, key))) return false;
      throw error;
    }
  }

  replace(key: string, bytes: Uint8Array): void {
    this.#writeWhole(key, bytes, fs.renameSync);
  }

  /**
   * What `replace` does to several objects of one folder of the store's root: all are written before any is synced, and the
   * folder is synced once.
   */
  replaceAll(folder: string, objects: ReadonlyMap<string, Uint8Array>): void {
    const written: { readonly name: string; readonly path: string; readonly file: number }[] = [];
    try {
      for (const [name, bytes] of objects) {
        const temporary = createTemporary(this.#root);
        written.push({ name, ...temporary });
        fs.writeFileSync(temporary.file, bytes);
      }
      for (const { file } of written) fs.fsyncSync(file);
      if (fs.mkdirSync(join(this.#root, folder), { recursive: true }) !== undefined) syncDirectory(this.#root);
      for (const { name, path } of written) fs.renameSync(path, join(this.#root, folder, name));
      syncDirectory(join(this.#root, folder));
    } catch (cause) {
      throw systemError(`write to ${join(this.#root, folder)}`, cause);
    } finally {
      for (const { file, path } of written) removeTemporary(path, file);
    }
  }

  read(key: string, target: Uint8Array, offset: number): void {
    const file = this.#open(key);
    try {
      this.#readAll(file, key, target, offset);
    } finally {
      if (!key.startsWith(keptPrefix)) fs.closeSync(file);
    }
  }

  #readAll(file: number, key: string, target: Uint8Array, offset: number): void {
    let done = 0;
    while (done < target.length) {
      const count = this.#attempt(key, 'read', () =>
        fs.readSync(file, target, done, target.length - done, offset + done),
      );
      if (count === 0)
        throw new VarveError('CORRUPT', `${join(this.#root, key)}: ends at byte ${offset + done}, too early`);
      done += count;
    }
  }

  size(key: string): number {
    return this.#attempt(key, 'read', () => fs.statSync(join(this.#root, key)).size);
  }

  *list(prefix: string): Iterable<ObjectEntry> {
    for (const entry of this.#entries(prefix)) {
      const key = `${prefix}/${entry.name}`;
      if (entry.isDirectory()) yield* this.list(key);
      // What somebody deletes meanwhile is not there.
      const found = entry.isFile() ? this.#statOf(key) : undefined;
      if (found !== undefined) yield { key, size: found.size };
    }
  }

  delete(key: string): void {
    this.#close(key);
    this.#attempt(key, 'delete', () => removeFile(join(this.#root, key)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const key of [...this.#files.keys()]) this.#close(key);
  }

  #statOf(key: string): fs.Stats | undefined {
    return this.#attempt(key, 'look at', () => fs.statSync(join(this.#root, key), { throwIfNoEntry: false }));
  }

  #entries(prefix: string): fs.Dirent[] {
    try {
      return fs.readdirSync(join(this.#root, prefix), { withFileTypes: true });
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw systemError(`list ${join(this.#root, prefix)}`, cause);
    }
  }

  #open(key: string): number {
    const known = this.#files.get(key);
    if (known !== undefined) {
      this.#files.delete(key);
      this.#files.set(key, known);
      return known;
    }
    const file = this.#attempt(key, 'open', () => fs.openSync(join(this.#root, key), 'r'));
    if (!key.startsWith(keptPrefix)) return file;
    this.#files.set(key, file);
    if (this.#files.size > openFilesLimit) this.#close(this.#files.keys().next().value as string);
    return file;
  }

  #close(key: string): void {
    const file = this.#files.get(key);
    if (file === undefined) return;
    this.#files.delete(key);
    fs.closeSync(file);
  }

  #writeWhole(key: string, bytes: Uint8Array, place: (from: string, to: string) => void): void {
    const { path, file } = createTemporary(this.#root);
    try {
      writeAndClose(file, bytes);
      placeFile(this.#root, path, key, place);
    } catch (cause) {
      throw systemError(`write ${join(this.#root, key)}`, cause);
    } finally {
      removeTemporary(path);
    }
  }

  #attempt<T>(key: string, verb: string, action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw systemError(`${verb} ${join(this.#root, key)}`, cause);
    }
  }
}

class NewFile implements NewObject {
  readonly #root: string;
  readonly #path: string;
  #file: number | undefined;
  #size = 0;

  constructor(root: string) {
    this.#root = root;
    const { path, file } = createTemporary(root);
    this.#path = path;
    this.#file = file;
  }

  get size(): number {
    return this.#size;
  }

  async append(parts: readonly Uint8Array[]): Promise<void> {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    try {
      let rest = parts;
      for (let left = length; left > 0; ) {
        const count = await writeParts(this.#file as number, rest);
        left -= count;
        if (left > 0) rest = dropBytes(rest, count);
      }
    } catch (cause) {
      throw systemError(`write ${this.#path}`, cause);
    }
    this.#size += length;
  }

  async commit(key: string): Promise<void> {
    try {
      await datasync(this.#file as number);
      this.#close();
      placeFile(this.#root, this.#path, key, fs.renameSync);
    } catch (cause) {
      throw systemError(`write ${join(this.#root, key)}`, cause);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const file = this.#file;
    this.#file = undefined;
    removeTemporary(this.#path, file);
  }

  #close(): void {
    const file = this.#file as number;
    this.#file = undefined;
    fs.closeSync(file);
  }
}

/** A new file under `tmp/`, open to be written; the folder is made again where a copy of the store has lost it. */
function createTemporary(root: string): { path: string; file: number } {
  const folder = join(root, temporaryPrefix);
  const path = join(folder, `${process.pid}-${randomHex(8)}`);
  try {
    if (!fs.existsSync(folder)) fs.mkdirSync(folder, { recursive: true });
    return { path, file: fs.openSync(path, 'wx', 0o644) };
  } catch (cause) {
    throw systemError(`write ${path}`, cause);
  }
}

/** Removes a temporary file, open as `file` or not. What stays on a broken disk is left to garbage collection. */
function removeTemporary(path: string, file?: number): void {
  try {
    if (file !== undefined) fs.closeSync(file);
  } catch {
    // The same disk, which whoever wrote to it has heard of.
  }
  try {
    removeFile(path);
  } catch {
    // As above.
  }
}

/** What is not there is fine. Not `rmSync`, whose errors say of some failures no code at all. */
export function removeFile(path: string): void {
  try {
    fs.unlinkSync(path);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (!['ENOENT', 'ENOTDIR'].includes(code)) throw error;
  }
}

function writeAndClose(file: number, bytes: Uint8Array): void {
  try {
    fs.writeFileSync(file, bytes);
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}

/** Gives a synced file its name, for good: the directories on the way that may be new are synced too. */
function placeFile(root: string, from: string, key: string, place: (from: string, to: string) => void): void {
  const to = join(root, key);
  const folder = dirname(to);
  const made = fs.mkdirSync(folder, { recursive: true });
  place(from, to);
  const unsynced = new Set([folder]);
  if (made !== undefined) unsynced.add(dirname(made));
  // Whoever made a folder inside another may have died before it was durable. Those of the root came with the store.
  if (dirname(folder) !== root) unsynced.add(dirname(folder));
  for (const path of unsynced) syncDirectory(path);
}

/** Makes the names in a directory durable. */
export function syncDirectory(path: string): void {
  const file = fs.openSync(path, 'r');
  try {
    fs.fsyncSync(file);
  } finally {
    fs.closeSync(file);
  }
}

function dropBytes(parts: readonly Uint8Array[], count: number): Uint8Array[] {
  const rest: Uint8Array[] = [];
  let left = count;
  for (const part of parts) {
    if (left < part.length) rest.push(part.subarray(left));
    left = Math.max(0, left - part.length);
  }
  return rest;
}

/** In the thread pool: writing is a tenth of an import, and the main thread has other things to do (bench/import.ts). */
function writeParts(file: number, parts: readonly Uint8Array[]): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  fs.writev(file, parts, (error, count) => (error === null ? resolve(count) : reject(error)));
  return promise;
}

function datasync(file: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  fs.fdatasync(file, (error) => (error === null ? resolve() : reject(error)));
  return promise;
}
