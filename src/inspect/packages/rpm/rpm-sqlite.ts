import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemError, VarveError } from '../../../base/varve-error.ts';
import type { RpmRecord } from './rpm-record.ts';

/** What rpm's SQLite database is made of. */
export interface SqliteFiles {
  readonly database: Uint8Array;
  /** The log of changes that are not in it yet; may be empty. */
  readonly log: Uint8Array;
}

/** Whether a file is a database of SQLite. Source: SQLite, "Database File Format", 1.3. */
export function isSqlite(bytes: Uint8Array): boolean {
  return new TextDecoder('latin1').decode(bytes.subarray(0, 16)) === 'SQLite format 3\0';
}

/**
 * The headers in rpm's SQLite database (`rpmdb.sqlite`, table `Packages`). It is copied into a private directory first: SQLite
 * wants files, and its log of changes has to be played. What is in it is not trusted: only a table is read, and no more than it
 * can hold.
 *
 * Source: rpm's lib/backend, sqlite: `CREATE TABLE 'Packages' (hnum INTEGER PRIMARY KEY AUTOINCREMENT, blob BLOB NOT NULL)`.
 *
 * @throws VarveError `CORRUPT`
 */
export async function readRpmSqlite({ database, log }: SqliteFiles, path: string): Promise<RpmRecord[]> {
  const directory = fs.mkdtempSync(join(tmpdir(), 'varve-'));
  try {
    const copy = join(directory, 'rpmdb.sqlite');
    fs.writeFileSync(copy, database);
    if (log.length > 0) fs.writeFileSync(`${copy}-wal`, log);
    return await readCopy(copy, path, database.length + log.length);
  } catch (error) {
    throw systemError(`copy ${path} of the guest to ${directory}`, error);
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

async function readCopy(copy: string, path: string, length: number): Promise<RpmRecord[]> {
  const { DatabaseSync } = await import('node:sqlite');
  const records: RpmRecord[] = [];
  try {
    using database = new DatabaseSync(copy);
    database.exec('PRAGMA trusted_schema = off');
    const { type } = database.prepare("SELECT type FROM sqlite_schema WHERE name = 'Packages'").get() ?? {};
    if (type !== 'table') throw new VarveError('CORRUPT', `${path} has no table of packages`);
    let taken = 0;
    for (const { hnum, blob } of database.prepare('SELECT hnum, blob FROM Packages').iterate()) {
      if (typeof hnum !== 'number' || !(blob instanceof Uint8Array)) continue;
      // Pages may be pointed to over and over.
      taken += blob.length + 1;
      if (taken > length) throw new VarveError('CORRUPT', `${path} has more in its tables than it is long`);
      records.push({ number: hnum, read: () => blob });
    }
    return records;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'ERR_SQLITE_ERROR') throw error;
    throw new VarveError('CORRUPT', `cannot read ${path}: ${(error as Error).message}`, { cause: error });
  }
}
