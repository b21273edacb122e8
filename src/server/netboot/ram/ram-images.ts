import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { Mutex } from '../../../base/mutex.ts';
import { isVarveError, systemError, VarveError } from '../../../base/varve-error.ts';
import { fileTarget } from '../../../format/file-target.ts';
import { writeSquashfs } from '../../../guest/squashfs/write-squashfs.ts';
import { log } from '../../../log/log.ts';
import { directorySource } from '../../files/directory-source.ts';
import type { FileSource, FoundFile } from '../../files/file-source.ts';
import type { GuestOpener } from '../../files/guest-source.ts';

/** How squashfs files are made, and where they are. */
export interface RamImagesOptions {
  /** Where they are kept; it is made. Whoever starts again finds them there. */
  readonly directory: string;
  readonly guests: Required<GuestOpener>;
  /** Whether files are made of a disk, `web@3`: nothing else is opened. */
  readonly allowed: (disk: string) => boolean;
  /** How many are kept; those that were not asked for longest are deleted. 4 where nothing is given. */
  readonly most?: number | undefined;
}

const suffix = '.squashfs';
const temporarySuffix = '.part';

/**
 * The insides of disks, packed for systems that live in memory: `web@3.squashfs` is made when it is first asked for, once for
 * each content, and then served from a file.
 */
export class RamImages implements FileSource, AsyncDisposable {
  readonly #options: RamImagesOptions;
  readonly #files: FileSource;
  readonly #mutex = new Mutex();
  readonly #making = new Map<string, Promise<void>>();
  /** When files were asked for last, by path. */
  readonly #usedMs = new Map<string, number>();
  readonly #stop = new AbortController();

  /** @throws VarveError `PERMISSION`, `IO` for a directory that cannot be made */
  constructor(options: RamImagesOptions) {
    this.#options = options;
    try {
      fs.mkdirSync(options.directory, { recursive: true });
      for (const name of fs.readdirSync(options.directory)) {
        if (name.endsWith(temporarySuffix)) fs.rmSync(join(options.directory, name), { force: true });
      }
    } catch (error) {
      throw systemError(`keep squashfs files in ${options.directory}`, error);
    }
    this.#files = directorySource(options.directory);
  }

  /** Waits until it is made. @throws VarveError as `FileSource` does */
  async open(name: string): Promise<FoundFile> {
    const plain = name.replace(/^\/+/, '');
    const disk = plain.endsWith(suffix) ? plain.slice(0, -suffix.length) : '';
    if (disk === '' || !this.#options.allowed(disk)) return undefined;
    return this.#files.open(await this.prepare(disk));
  }

  /** Makes the file of a disk where there is none. @returns its name in the directory @throws what reading the disk throws */
  async prepare(disk: string): Promise<string> {
    const pinned = await this.#options.guests.pin(disk);
    const name = `${pinned.version.replaceAll(/[^0-9a-zA-Z]+/g, '-')}${suffix}`;
    const path = join(this.#options.directory, name);
    this.#usedMs.set(path, Date.now());
    if (fs.existsSync(path)) return name;
    const making = this.#making.get(name) ?? this.#make(pinned.disk, path);
    this.#making.set(name, making);
    try {
      await making;
      return name;
    } finally {
      this.#making.delete(name);
    }
  }

  /** Ends what is being made. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort(new VarveError('ABORTED', 'the server shuts down'));
    await Promise.allSettled(this.#making.values());
  }

  async #make(disk: string, path: string): Promise<void> {
    // One fills all processors.
    using _lock = await this.#mutex.lock();
    const part = `${path}.${randomUUID()}${temporarySuffix}`;
    try {
      await log.scope(`pack ${disk} to be booted into memory`, () => this.#pack(disk, part));
      fs.renameSync(part, path);
      this.#removeOld(path);
    } catch (error) {
      fs.rmSync(part, { force: true });
      throw isVarveError(error) ? error : systemError(`pack ${disk}`, error);
    }
  }

  async #pack(disk: string, path: string): Promise<void> {
    await using file = await open(path, 'wx', 0o644);
    await using guest = await this.#options.guests.open(disk);
    const { signal } = this.#stop;
    const time = Math.floor(Date.now() / 1000);
    const onProblem = ({ message }: VarveError): void => log(1, 'not in it: %s', message);
    await writeSquashfs(guest.tree, await guest.tree.resolve('/'), fileTarget(file.fd, path), {
      time,
      onProblem,
      signal,
    });
    await file.sync();
  }

  #removeOld(newest: string): void {
    const { directory, most = 4 } = this.#options;
    const names = fs.readdirSync(directory).filter((name) => name.endsWith(suffix));
    const paths = names.map((name) => join(directory, name)).filter((path) => path !== newest);
    const usedMs = (path: string): number => this.#usedMs.get(path) ?? fs.statSync(path).mtimeMs;
    const byUse = paths.map((path) => ({ path, ms: usedMs(path) })).sort((a, b) => b.ms - a.ms);
    // Who reads one goes on with it.
    for (const { path } of byUse.slice(most - 1)) {
      fs.rmSync(path, { force: true });
      this.#usedMs.delete(path);
    }
  }
}
