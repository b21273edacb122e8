import { type ErrorCode, VarveError } from '../base/varve-error.ts';

type Meaning = readonly [code: ErrorCode, reason: string];

const noSpace: Meaning = ['NO_SPACE', 'no space left on the device'];
const busy: Meaning = ['BUSY', 'another process has been writing to it for too long'];

// Source: https://www.sqlite.org/rescode.html, primary result codes.
const meanings: Readonly<Record<number, Meaning>> = {
  5: busy,
  6: busy,
  8: ['READ_ONLY', 'it is on a read-only file system, or is not yours to write'],
  10: ['IO', 'input/output error'],
  11: ['CORRUPT', 'it is damaged; rebuild it with varve verify --rebuild'],
  13: noSpace,
  14: ['PERMISSION', 'it cannot be opened; see who owns it'],
  26: ['CORRUPT', 'it is no SQLite database; rebuild it with varve verify --rebuild'],
};

// Source: the same, extended result codes. SQLITE_IOERR_SHMSIZE: there is no room for the shared memory file.
const extendedMeanings: Readonly<Record<number, Meaning>> = { 4874: noSpace };

/** The `VarveError` for what SQLite says of the catalog at `path`; what does not come from SQLite as it is. */
export function catalogError(path: string, cause: unknown): unknown {
  const { errcode } = cause as { errcode?: number };
  if (errcode === undefined) return cause;
  const meaning = extendedMeanings[errcode] ?? meanings[errcode & 0xff];
  const [code, reason] = meaning ?? ['IO', (cause as Error).message];
  return new VarveError(code, `cannot use ${path}: ${reason}`, { cause });
}
