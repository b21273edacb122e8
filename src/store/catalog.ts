import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { type ErrorCode, isVarveError, systemError, VarveError } from '../base/varve-error.ts';
import { catalogSchema, catalogVersion } from './catalog-schema.ts';

export type Row = Record<string, SQLInputValue>;

/** How long a writer waits for another process's transaction; they take milliseconds. */
const busyTimeoutMs = 30_000;

/**
 * The SQLite database of a store: one connection, its statements prepared once. All of it is synchronous, and a
 * transaction never spans an `await`, so that no process holds the write lock while it waits for anything.
 */
export class Catalog implements Disposable {
  readonly path: string;
  readonly readOnly: boolean;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #scratch: string | undefined;

  private constructor(path: string, database: DatabaseSync, readOnly: boolean, scratch?: string) {
    this.path = path;
    this.#database = database;
    this.readOnly = readOnly;
    this.#scratch = scratch;
  }

  /** Makes an empty catalog, or leaves the one that another process has just made. */
  static create(path: string): Catalog {
    const catalog = new Catalog(path, openDatabase(path, path, false), false);
    catalog.#startLog();
    catalog.write(() => {
      if (catalog.#version() === 0) catalog.#database.exec(`${catalogSchema}; PRAGMA user_version = ${catalogVersion}`);
    });
    return catalog.#checked();
  }

  /**
   * Opens the catalog at `path`; where its directory cannot be written to, for reading only.
   * @throws NOT_FOUND, UNSUPPORTED when a newer Varve made it, CORRUPT when it is no database
   */
  static open(path: string, options: { readOnly?: boolean } = {}): Catalog {
    if (!fs.existsSync(path)) throw new VarveError('NOT_FOUND', `cannot open ${path}: no such file`);
    if (options.readOnly) return openForReading(path, (...parts) => new Catalog(...parts)).#checked();
    return new Catalog(path, openDatabase(path, path, false), false).#checked();
  }

  get(sql: string, ...values: SQLInputValue[]): Row | undefined {
    return this.#run(() => this.#prepare(sql).get(...values) as Row | undefined);
  }

  all(sql: string, ...values: SQLInputValue[]): Row[] {
    return this.#run(() => this.#prepare(sql).all(...values) as Row[]);
  }

  /** Row by row, for what may not fit into memory; do not write meanwhile. */
  *iterate(sql: string, ...values: SQLInputValue[]): Iterable<Row> {
    try {
      // A statement of its own: a cached one would be reset by the next call in the middle of this.
      yield* this.#database.prepare(sql).iterate(...values) as Iterable<Row>;
    } catch (cause) {
      throw catalogError(this.path, cause);
    }
  }

  /** Runs a statement; the number of rows changed and the last row's number. */
  run(sql: string, ...values: SQLInputValue[]): { changes: number; lastId: number } {
    const { changes, lastInsertRowid } = this.#run(() => this.#prepare(sql).run(...values));
    return { changes: Number(changes), lastId: Number(lastInsertRowid) };
  }

  /** One durable transaction: `action` and all it writes, or nothing. @throws READ_ONLY, BUSY, NO_SPACE */
  write<T>(action: () => T): T {
    // What is open for reading may be a private copy, which would take the change and forget it.
    if (this.readOnly) throw new VarveError('READ_ONLY', `cannot change ${this.path}: it is open for reading only`);
    this.#run(() => this.#database.exec('BEGIN IMMEDIATE'));
    let result: T;
    try {
      result = action();
      this.#run(() => this.#database.exec('COMMIT'));
    } catch (error) {
      // SQLite has undone it by itself where the disk failed.
      if (this.#database.isTransaction) this.#run(() => this.#database.exec('ROLLBACK'));
      throw error;
    }
    return result;
  }

  /** Like `write`, without waiting for the disk: a power cut may undo it, and a crash of the process not. */
  writeLazily<T>(action: () => T): T {
    this.#run(() => this.#database.exec('PRAGMA synchronous = NORMAL'));
    try {
      return this.write(action);
    } finally {
      this.#run(() => this.#database.exec('PRAGMA synchronous = FULL'));
    }
  }

  /** Several reads of one moment. */
  read<T>(action: () => T): T {
    this.#run(() => this.#database.exec('BEGIN'));
    try {
      return action();
    } finally {
      this.#run(() => this.#database.exec('COMMIT'));
    }
  }

  get isOpen(): boolean {
    return this.#database.isOpen;
  }

  /** What SQLite itself finds wrong, a line each. */
  integrityErrors(): string[] {
    const lines = this.all('PRAGMA integrity_check').map((row) => String(row.integrity_check));
    return lines.filter((line) => line !== 'ok');
  }

  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
    if (this.#scratch !== undefined) fs.rmSync(this.#scratch, { recursive: true, force: true });
  }

  /** Others who do the same at this moment are not waited for by SQLite, unlike elsewhere. */
  #startLog(): void {
    const deadline = Date.now() + busyTimeoutMs;
    for (;;) {
      try {
        this.#run(() => this.#database.exec('PRAGMA journal_mode = WAL'));
        return;
      } catch (error) {
        if (!isVarveError(error, 'BUSY') || Date.now() > deadline) throw error;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 5);
      }
    }
  }

  #version(): number {
    return Number(this.get('PRAGMA user_version')?.user_version);
  }

  #checked(): this {
    try {
      const version = this.#version();
      if (version > catalogVersion) {
        throw new VarveError(
          'UNSUPPORTED',
          `cannot open ${this.path}: a newer Varve made it (catalog version ${version})`,
        );
      }
      if (version === 0) throw new VarveError('CORRUPT', `${this.path}: empty; rebuild it with varve verify --rebuild`);
      return this;
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  #prepare(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run<T>(action: () => T): T {
    try {
      return action();
    } catch (cause) {
      throw catalogError(this.path, cause);
    }
  }
}

function openDatabase(path: string, location: string | URL, readOnly: boolean): DatabaseSync {
  try {
    return new DatabaseSync(location, { readOnly, timeout: busyTimeoutMs });
  } catch (cause) {
    throw catalogError(path, cause);
  }
}

/**
 * A catalog that must not, or cannot, be written to. SQLite wants to write beside a database even to read it; a
 * private copy spares it that where there is a log to be replayed, and `immutable` where there is none.
 */
function openForReading<T>(
  path: string,
  make: (path: string, database: DatabaseSync, readOnly: boolean, scratch?: string) => T,
): T {
  const log = `${path}-wal`;
  const logged = fs.existsSync(log) && fs.statSync(log).size > 0;
  if (!logged) {
    const location = pathToFileURL(path);
    location.searchParams.set('immutable', '1');
    return make(path, openDatabase(path, location, true), true);
  }
  const scratch = fs.mkdtempSync(join(tmpdir(), 'varve-catalog-'));
  const copy = join(scratch, 'catalog.sqlite');
  try {
    fs.copyFileSync(path, copy, fs.constants.COPYFILE_FICLONE);
    fs.copyFileSync(log, `${copy}-wal`, fs.constants.COPYFILE_FICLONE);
    return make(path, openDatabase(path, copy, false), true, scratch);
  } catch (cause) {
    fs.rmSync(scratch, { recursive: true, force: true });
    throw systemError(`read ${path}`, cause);
  }
}

// Source: https://www.sqlite.org/rescode.html, primary result codes.
const codesBySqlite: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  5: ['BUSY', 'another process has been writing to it for too long'],
  6: ['BUSY', 'another process has been writing to it for too long'],
  8: ['READ_ONLY', 'it is on a read-only file system, or is not yours to write'],
  10: ['IO', 'input/output error'],
  11: ['CORRUPT', 'it is damaged; rebuild it with varve verify --rebuild'],
  13: ['NO_SPACE', 'no space left on the device'],
  14: ['PERMISSION', 'it cannot be opened; see who owns it'],
  26: ['CORRUPT', 'it is no SQLite database; rebuild it with varve verify --rebuild'],
};

function catalogError(path: string, cause: unknown): unknown {
  const { errcode } = cause as { errcode?: number };
  if (errcode === undefined) return cause;
  const [code, reason] = codesBySqlite[errcode & 0xff] ?? ['IO', (cause as Error).message];
  return new VarveError(code, `cannot use ${path}: ${reason}`, { cause });
}
