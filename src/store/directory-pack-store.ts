import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { isVarveError, systemError, VarveError } from '../base/varve-error.ts';
import type { NewObject, ObjectEntry, PackStore } from './pack-store.ts';

const datasync = promisify(fs.fdatasync);
const openFilesLimit = 64;
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
      if (isVarveError(error, 'EXISTS')) return false;
      throw error;
    }
  }

  replace(key: string, bytes: Uint8Array): void {
    this.#writeWhole(key, bytes, fs.renameSync);
  }

  read(key: string, target: Uint8Array, offset: number): void {
    const file = this.#open(key);
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
      const found = entry.isFile() && fs.statSync(join(this.#root, key), { throwIfNoEntry: false });
      if (found) yield { key, size: found.size };
    }
  }

  delete(key: string): void {
    this.#close(key);
    this.#attempt(key, 'delete', () => fs.rmSync(join(this.#root, key), { force: true }));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const key of [...this.#files.keys()]) this.#close(key);
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
    const temporary = temporaryPath(this.#root);
    try {
      fs.writeFileSync(temporary, bytes, { flag: 'wx', flush: true });
      placeFile(this.#root, temporary, key, place);
    } catch (cause) {
      throw systemError(`write ${join(this.#root, key)}`, cause);
    } finally {
      fs.rmSync(temporary, { force: true });
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
    this.#path = temporaryPath(root);
    try {
      this.#file = fs.openSync(this.#path, 'wx', 0o644);
    } catch (cause) {
      throw systemError(`write ${this.#path}`, cause);
    }
  }

  get size(): number {
    return this.#size;
  }

  append(parts: readonly Uint8Array[]): void {
    const length = parts.reduce((sum, part) => sum + part.length, 0);
    try {
      let rest = parts;
      for (let left = length; left > 0; ) {
        const count = fs.writevSync(this.#file as number, rest);
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
    this.#close();
    fs.rmSync(this.#path, { force: true });
  }

  #close(): void {
    if (this.#file !== undefined) fs.closeSync(this.#file);
    this.#file = undefined;
  }
}

function temporaryPath(root: string): string {
  return join(root, temporaryPrefix, `${process.pid}-${randomBytes(8).toString('hex')}`);
}

/** Gives a synced file its name, for good: its directory, and a directory made for it, are synced too. */
function placeFile(root: string, from: string, key: string, place: (from: string, to: string) => void): void {
  const to = join(root, key);
  const made = fs.mkdirSync(dirname(to), { recursive: true });
  place(from, to);
  syncDirectory(dirname(to));
  if (made !== undefined) syncDirectory(dirname(made));
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
