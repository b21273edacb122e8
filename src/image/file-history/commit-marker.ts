/*
 * What stands beside disk files while they are changed together, so that all of them change or none. Beside `disk.raw`
 * that is `.disk.raw.committing`, of JSON lines, each synced before what relies on it; a last line that is cut off
 * counts for nothing:
 *
 *   {"version":1,"id":ID,"bootId":ID,"files":[NAME,…],"index":N,"copy":NAME}
 *             which files these are, seen from this one's directory, and which of them this one is; `copy` is the file
 *             beside it that may be there to take its place
 *   {"staged":RECORD,"stamp":STAMP}
 *             what is still to be done to it, and what it is until then; all else is durable
 *   {"decided":true}
 *             beside the first of the files only: from here on all of them are changed
 *
 * Who changes them holds a lock (flock) on the first one's while that lives. The markers of the others go first.
 */
import { constants } from 'node:fs';
import fs, { type FileHandle } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { isLinux } from '../../linux/libc.ts';
import { lockFile } from '../../linux/lock-file.ts';
import type { FileStamp } from './base-stamp.ts';
import { syncDirectory } from './file-places.ts';
import { markerPath } from './marker-path.ts';
import type { StagedRecord } from './staged-change.ts';

/** What was begun. */
export interface CommitPlan {
  readonly version: 1;
  /** Tells these files' change from all others. */
  readonly id: string;
  /** Of the run of the kernel in which it began. */
  readonly bootId: string;
  /** The names of the files, from this marker's directory; the first has the decision. */
  readonly files: readonly string[];
  /** Which of them this one is. */
  readonly index: number;
  /** The name of a copy that may stand beside the file. */
  readonly copy: string;
}

/** What is to be done to a file, and what it is until then. */
export interface StagedFile {
  readonly staged: StagedRecord;
  readonly stamp: FileStamp;
}

const maximumLength = 2 ** 20;
const maximumAttempts = 10;

/** The marker beside a disk file, open. Disposing closes it, and gives back its lock. */
export class CommitMarker implements AsyncDisposable {
  /** The disk file, absolute. */
  readonly file: string;
  readonly #path: string;
  readonly #handle: FileHandle;
  #plan: CommitPlan | undefined;
  #staged: StagedFile | undefined;
  #isDecided = false;

  private constructor(file: string, handle: FileHandle) {
    this.file = file;
    this.#path = markerPath(file);
    this.#handle = handle;
  }

  /** Puts a marker beside a file, durably, and locks it. @throws VarveError `BUSY` where there is one, by errno */
  static async create(file: string, plan: CommitPlan): Promise<CommitMarker> {
    const marker = await CommitMarker.#createLocked(file);
    try {
      marker.#plan = plan;
      await marker.#add(plan);
      await syncDirectory(dirname(file));
      return marker;
    } catch (error) {
      await marker.remove().catch(() => {});
      await marker[Symbol.asyncDispose]();
      throw systemError(`commit to ${file}`, error);
    }
  }

  static async #createLocked(file: string): Promise<CommitMarker> {
    try {
      for (let attempt = 0; attempt < maximumAttempts; attempt += 1) {
        const marker = new CommitMarker(file, await fs.open(markerPath(file), 'ax+'));
        // Whoever saw it before it was locked has taken it for one of a process that died.
        if (marker.lock() && (await marker.isThere())) return marker;
        await marker[Symbol.asyncDispose]();
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw systemError(`commit to ${file}`, error);
    }
    throw new VarveError('BUSY', `cannot commit to ${file}: another commit to it is under way`);
  }

  /**
   * The marker beside a file; undefined where there is none.
   *
   * @throws VarveError `PERMISSION` for one that somebody else has put there, who could have any file replaced
   */
  static async open(file: string): Promise<CommitMarker | undefined> {
    const handle = await openMarker(file);
    if (handle === undefined) return undefined;
    const marker = new CommitMarker(file, handle);
    try {
      await marker.#requireTrusted();
      await marker.load();
      return marker;
    } catch (error) {
      await handle.close();
      throw error;
    }
  }

  /** Undefined where its maker came no further than to make it. */
  get plan(): CommitPlan | undefined {
    return this.#plan;
  }

  /** Undefined before the change is durable. */
  get staged(): StagedFile | undefined {
    return this.#staged;
  }

  get isDecided(): boolean {
    return this.#isDecided;
  }

  /** The file of that number, absolute. */
  fileAt(index: number): string {
    return resolve(dirname(this.file), this.#plan!.files[index]!);
  }

  /** Whether nobody else has it, or will have it until this is disposed of. */
  lock(): boolean {
    return !isLinux || lockFile(this.#handle.fd, 'exclusive', this.#path);
  }

  /** Whether it still stands beside the file. */
  async isThere(): Promise<boolean> {
    const [own, now] = [await this.#handle.stat(), await fs.stat(this.#path).catch(() => undefined)];
    return now !== undefined && own.ino === now.ino && own.dev === now.dev;
  }

  /** Reads what it says by now. */
  async load(): Promise<void> {
    const { size } = await this.#handle.stat();
    const bytes = Buffer.alloc(Math.min(size, maximumLength));
    const { bytesRead } = await this.#handle.read(bytes, 0, bytes.length, 0);
    for (const line of linesOf(bytes.toString('utf8', 0, bytesRead))) {
      if (isPlan(line)) this.#plan = line;
      else if (isStaged(line)) this.#staged = { staged: line.staged, stamp: stampOf(line.stamp) };
      else if (line.decided === true) this.#isDecided = true;
    }
  }

  /** Notes, durably, that the change is ready. */
  async addStaged({ staged, stamp }: StagedFile): Promise<void> {
    this.#staged = { staged, stamp };
    const hash = Buffer.from(stamp.hash).toString('hex');
    await this.#add({ staged, stamp: { ...stamp, modifiedNs: String(stamp.modifiedNs), hash } });
  }

  /** Notes, durably, that all files are changed. */
  async decide(): Promise<void> {
    this.#isDecided = true;
    await this.#add({ decided: true });
  }

  /** Takes it away, durably. */
  async remove(): Promise<void> {
    await fs.rm(this.#path, { force: true });
    await syncDirectory(dirname(this.file));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#handle.close().catch(() => {});
  }

  async #add(line: object): Promise<void> {
    try {
      await this.#handle.appendFile(`${JSON.stringify(line)}\n`);
      await this.#handle.sync();
    } catch (error) {
      throw systemError(`record the commit to ${this.file}`, error);
    }
  }

  async #requireTrusted(): Promise<void> {
    const stats = await this.#handle.stat();
    const owner = await fs.stat(this.file).then(
      ({ uid }) => uid,
      () => undefined,
    );
    if (stats.isFile() && [0, process.geteuid?.(), owner].includes(stats.uid)) return;
    const what = `cannot use ${this.file}: ${this.#path} says that a commit to it was cut off, and is somebody else's`;
    throw new VarveError('PERMISSION', `${what}; whoever made it can finish it, or delete it if nobody did`);
  }
}

async function openMarker(file: string): Promise<FileHandle | undefined> {
  const { O_NOFOLLOW, O_NONBLOCK, O_RDONLY } = constants;
  try {
    return await fs.open(markerPath(file), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ENAMETOOLONG'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw systemError(`look whether a commit to ${file} was cut off`, error);
  }
}

function* linesOf(text: string): Generator<Record<string, unknown>> {
  for (const line of text.split('\n').slice(0, -1)) {
    try {
      const value: unknown = JSON.parse(line);
      if (typeof value === 'object' && value !== null) yield value as Record<string, unknown>;
    } catch {
      // It was cut off, and nothing came after it.
      return;
    }
  }
}

function isPlan(line: object): line is CommitPlan {
  const { version, files, index, copy, id } = line as Partial<CommitPlan>;
  return (
    version === 1 &&
    typeof id === 'string' &&
    Array.isArray(files) &&
    files.every((each) => typeof each === 'string') &&
    typeof index === 'number' &&
    index in files &&
    // It is put into the file's place, and deleted: nothing elsewhere may be.
    typeof copy === 'string' &&
    basename(copy) === copy &&
    copy.includes('.part-')
  );
}

interface StagedLine {
  readonly staged: StagedRecord;
  readonly stamp: { coverage: FileStamp['coverage']; size: number; modifiedNs: string; hash: string };
}

function isStaged(line: object): line is StagedLine {
  const { staged, stamp } = line as Partial<StagedLine>;
  const kind = staged?.kind;
  return (kind === 'copy' || kind === 'header') && /^\d+$/.test(stamp?.modifiedNs ?? '');
}

function stampOf({ coverage, hash, modifiedNs, size }: StagedLine['stamp']): FileStamp {
  return { coverage, size, modifiedNs: BigInt(modifiedNs), hash: Buffer.from(hash, 'hex') };
}

/** Where the copy stands that a marker's plan names. */
export function copyPath({ file, plan }: CommitMarker): string {
  return join(dirname(file), plan!.copy);
}
