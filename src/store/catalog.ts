import fs from 'node:fs';
import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite';
import { isVarveError, VarveError } from '../base/varve-error.ts';
import { catalogError } from './catalog-error.ts';
import { catalogSteps, catalogVersion } from './catalog-schema.ts';
import {
  busyTimeoutMs,
  type OpenDatabase,
  openDatabase,
  openDatabaseForReading,
  type Refusal,
} from './open-database.ts';

export type Row = Record<string, SQLInputValue>;

const notToBeWritten: Refusal = { code: 'READ_ONLY', reason: 'it is read-only' };
const onFullDisk: Refusal = { code: 'NO_SPACE', reason: 'no space left on the device' };

/**
 * The SQLite database of a store: one connection, its statements prepared once. All of it is synchronous, and a
 * transaction never spans an `await`, so that no process holds the write lock while it waits for anything.
 */
export class Catalog implements Disposable {
  readonly path: string;
  /** Why it takes no changes; undefined when it takes them. */
  readonly refusal: Refusal | undefined;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();
  readonly #scratch: string | undefined;

  private constructor(path: string, { database, refusal, scratch }: OpenDatabase) {
    this.path = path;
    this.refusal = refusal;
    this.#database = database;
    this.#scratch = scratch;
  }

  /** Makes an empty catalog, or leaves the one that another process has just made. */
  static create(path: string): Catalog {
    const catalog = new Catalog(path, openDatabase(path));
    catalog.#startLog();
    catalog.#bringUpToDate(0);
    return catalog.#checked();
  }

  /**
   * Opens the catalog at `path`; for reading only where its disk is full, and where `readOnly` says so.
   * @throws NOT_FOUND, UNSUPPORTED when a newer Varve made it, CORRUPT when it is no database
   */
  static open(path: string, options: { readOnly?: boolean } = {}): Catalog {
    if (!fs.existsSync(path)) throw new VarveError('NOT_FOUND', `cannot open ${path}: no such file`);
    if (options.readOnly) return new Catalog(path, openDatabaseForReading(path, notToBeWritten)).#checked();
    try {
      return new Catalog(path, openDatabase(path)).#checked().#bringUpToDate(1);
    } catch (error) {
      if (!isVarveError(error, 'NO_SPACE')) throw error;
      return new Catalog(path, openDatabaseForReading(path, onFullDisk)).#checked();
    }
  }

  get readOnly(): boolean {
    return this.refusal !== undefined;
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
    if (this.refusal !== undefined) {
      throw new VarveError(this.refusal.code, `cannot change ${this.path}: ${this.refusal.reason}`);
    }
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

  /** Takes the steps from the version that is there, at least `oldest`, to the present one; all of them or none. */
  #bringUpToDate(oldest: number): this {
    if (this.#version() >= catalogVersion) return this;
    try {
      this.write(() => {
        const version = this.#version();
        if (version < oldest || version >= catalogVersion) return;
        const steps = catalogSteps.slice(version).join('');
        this.#run(() => this.#database.exec(`${steps}; PRAGMA user_version = ${catalogVersion}`));
      });
      return this;
    } catch (error) {
      this[Symbol.dispose]();
      throw error;
    }
  }

  /** Whether a table is there: what may not be written to may be of an earlier version. */
  hasTable(name: string): boolean {
    return this.get("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", name) !== undefined;
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
