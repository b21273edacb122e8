import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { pathToFileURL } from 'node:url';
import { type ErrorCode, systemError } from '../base/varve-error.ts';
import { catalogError } from './catalog-error.ts';

/** How long a writer waits for another process's transaction, in milliseconds; they take a few. */
export const busyTimeoutMs = 30_000;

/** Why a catalog takes no changes. */
export interface Refusal {
  readonly code: ErrorCode;
  readonly reason: string;
}

/** A connection to a catalog's database. */
export interface OpenDatabase {
  readonly database: DatabaseSync;
  /** Why it is for reading only; undefined when it is not. */
  readonly refusal?: Refusal;
  /** A folder that is to be removed in the end. */
  readonly scratch?: string;
}

/** Opens the database at `path` for reading and writing. */
export function openDatabase(path: string): OpenDatabase {
  return { database: connect(path, path, false) };
}

/**
 * Opens a database that must not, or cannot, be written to. While others have it open, their log and shared memory
 * are there, and SQLite reads along. Otherwise it would make both, even to read: `immutable` spares it that where
 * there is no log, and a private copy where there is one.
 */
export function openDatabaseForReading(path: string, refusal: Refusal): OpenDatabase {
  if (!fs.existsSync(`${path}-wal`)) {
    const location = pathToFileURL(path);
    location.searchParams.set('immutable', '1');
    return { database: connect(path, location, true), refusal };
  }
  const shared = fs.existsSync(`${path}-shm`) ? readAlong(path) : undefined;
  return shared === undefined ? openCopy(path, refusal) : { database: shared, refusal };
}

function connect(path: string, location: string | URL, readOnly: boolean): DatabaseSync {
  try {
    return new DatabaseSync(location, { readOnly, timeout: busyTimeoutMs });
  } catch (cause) {
    throw catalogError(path, cause);
  }
}

function readAlong(path: string): DatabaseSync | undefined {
  const database = connect(path, path, true);
  try {
    database.prepare('PRAGMA user_version').get();
    return database;
  } catch {
    // A log that must be recovered first, by somebody who may write.
    database.close();
    return undefined;
  }
}

function newScratch(path: string): string {
  try {
    return fs.mkdtempSync(join(tmpdir(), 'varve-catalog-'));
  } catch (cause) {
    throw systemError(`make a copy of ${path} in ${tmpdir()}`, cause);
  }
}

function openCopy(path: string, refusal: Refusal): OpenDatabase {
  const scratch = newScratch(path);
  const copy = join(scratch, 'catalog.sqlite');
  try {
    fs.copyFileSync(path, copy, fs.constants.COPYFILE_FICLONE);
    fs.copyFileSync(`${path}-wal`, `${copy}-wal`, fs.constants.COPYFILE_FICLONE);
    return { database: connect(path, copy, false), refusal, scratch };
  } catch (cause) {
    fs.rmSync(scratch, { recursive: true, force: true });
    throw systemError(`read ${path}`, cause);
  }
}
