/*
 * What a conversion in place has done, so that one that was cut off can go on. Beside the disk file `disk.raw` stands the
 * directory `disk.raw.converting`, and in it
 *
 *   journal   JSON lines: the plan, then marks, each synced before what relies on it; a last line that is cut off counts
 *             for nothing
 *   source    the old file, once a conversion has begun that takes it apart
 *   target    the new one
 */
import { randomBytes } from 'node:crypto';
import fs, { type FileHandle } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { isLinux } from '../../linux/libc.ts';
import { lockFile } from '../../linux/lock-file.ts';
import { syncDirectory } from '../file-history/file-places.ts';

/** How a conversion in place goes about it. */
export type ConversionWay = 'wrap' | 'stepwise' | 'spool';

/** What was decided before anything was changed. */
export interface ConversionPlan {
  readonly version: 1;
  readonly way: ConversionWay;
  /** The names of the formats. */
  readonly from: string;
  readonly to: string;
  /** Of the disk, in bytes. */
  readonly size: number;
  /** Of the clusters of the new file, in bytes. */
  readonly clusterSize?: number;
  /** Switches of the new format. */
  readonly formatOptions?: Readonly<Record<string, string>>;
  /** Stepwise: how much of the disk is moved at once, in bytes. */
  readonly stepLength?: number;
  /** By spool: the path of the new file on another file system. */
  readonly spool?: string;
}

/** How far a conversion is. */
export interface ConversionMark {
  /** Stepwise: all of the disk before this byte is in the target, and durable. */
  readonly position?: number;
  /** Wrapping: the start of the file, in base 64, that makes it an image. */
  readonly header?: string;
  /** Wrapping: when the file was changed last before the header is written, in nanoseconds since 1970. */
  readonly modified?: string;
  /** By spool: the source is out of the way. */
  readonly taken?: boolean;
  /** The target is whole. */
  readonly done?: boolean;
}

const journalName = 'journal';

/** Where the conversion of a file keeps what it needs. */
function conversionDirectory(path: string): string {
  return `${path}.converting`;
}

/** The record of a conversion of the file at `path`, open to be continued. Disposing of it closes it. */
export class ConversionJournal implements AsyncDisposable {
  readonly path: string;
  readonly plan: ConversionPlan;
  readonly directory: string;
  readonly #file: FileHandle;
  #last: ConversionMark;

  private constructor(path: string, plan: ConversionPlan, file: FileHandle, last: ConversionMark) {
    this.path = path;
    this.plan = plan;
    this.directory = conversionDirectory(path);
    this.#file = file;
    this.#last = last;
  }

  /** Begins the record of a conversion; it is durable, and whole or not there. @throws VarveError by errno */
  static async begin(path: string, plan: ConversionPlan): Promise<ConversionJournal> {
    const directory = conversionDirectory(path);
    const temporary = join(dirname(path), `${basename(path).slice(0, 200)}.part-${randomBytes(4).toString('hex')}`);
    try {
      await fs.mkdir(temporary);
      const file = await fs.open(join(temporary, journalName), 'wx+');
      if (isLinux) lockFile(file.fd, 'exclusive', path);
      await file.writeFile(`${JSON.stringify(plan)}\n`);
      await file.sync();
      await syncDirectory(temporary);
      await fs.rename(temporary, directory);
      await syncDirectory(dirname(path));
      return new ConversionJournal(path, plan, file, {});
    } catch (error) {
      await fs.rm(temporary, { recursive: true, force: true });
      throw systemError(`begin to convert ${path}`, error);
    }
  }

  /**
   * The record of a conversion that was cut off; undefined where there is none.
   *
   * @throws VarveError `CORRUPT` where it cannot be read, `UNSUPPORTED` for one of a newer version, `BUSY` while another
   *   process goes on with it
   */
  static async find(path: string): Promise<ConversionJournal | undefined> {
    const file = await openJournal(path);
    if (file === undefined) return undefined;
    try {
      if (isLinux && !lockFile(file.fd, 'exclusive', path)) {
        throw new VarveError('BUSY', `cannot convert ${path}: another process is converting it`);
      }
      const text = await file.readFile('utf8');
      const [plan, ...marks] = completeLines(text).map((line) => JSON.parse(line));
      if (plan?.version !== 1) throw unknownPlan(path);
      // Whatever was cut off is overwritten, and not gone on with.
      await file.truncate(text.lastIndexOf('\n') + 1);
      return new ConversionJournal(path, plan, file, Object.assign({}, ...marks));
    } catch (error) {
      await file.close();
      if (error instanceof VarveError) throw error;
      const why = `${join(conversionDirectory(path), journalName)} cannot be read`;
      throw new VarveError('CORRUPT', `cannot go on converting ${path}: ${why}`, { cause: error });
    }
  }

  /** All marks together, later ones before earlier ones. */
  get last(): ConversionMark {
    return this.#last;
  }

  /** Adds a mark, durably. @throws VarveError by errno */
  async add(mark: ConversionMark): Promise<void> {
    try {
      await this.#file.appendFile(`${JSON.stringify(mark)}\n`);
      await this.#file.datasync();
    } catch (error) {
      throw systemError(`record how far the conversion of ${this.path} is`, error);
    }
    this.#last = { ...this.#last, ...mark };
  }

  /** Where the source, or the target, of a stepwise conversion is. */
  file(name: 'source' | 'target'): string {
    return join(this.directory, name);
  }

  /** Forgets the conversion, and deletes what it has kept. */
  async remove(): Promise<void> {
    try {
      await this.#file.close();
      // The record goes last: without it nobody knows what the others are.
      for (const name of ['source', 'target'] as const) await fs.rm(this.file(name), { force: true });
      await fs.rm(this.directory, { recursive: true });
      await syncDirectory(dirname(this.path));
    } catch (error) {
      throw systemError(`delete ${this.directory}`, error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file.close();
  }
}

async function openJournal(path: string): Promise<FileHandle | undefined> {
  try {
    return await fs.open(join(conversionDirectory(path), journalName), 'a+');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw systemError(`go on converting ${path}`, error);
  }
}

function completeLines(text: string): string[] {
  return text.split('\n').slice(0, -1);
}

function unknownPlan(path: string): VarveError {
  return new VarveError('UNSUPPORTED', `cannot go on converting ${path}: another version of Varve has begun that`);
}
