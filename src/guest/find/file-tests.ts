import { parseDuration } from '../../base/duration.ts';
import { parseSize } from '../../base/size.ts';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import type { FileKind, FileStat, Timestamp } from '../../filesystem/file-system.ts';

/** Whether a file, by what stat(2) would tell of it, is one that is looked for. */
export type FileTest = (stat: FileStat) => boolean;

const dayMs = 86_400_000;

const kindLetters: Readonly<Record<string, FileKind>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  b: 'block',
  c: 'character',
  p: 'fifo',
  s: 'socket',
};

/** Reads kinds of files, `f,d` or `file,directory`. @throws VarveError `INVALID` */
export function parseKinds(text: string): ReadonlySet<FileKind> {
  const kinds = text.split(',').map((word) => {
    const kind = Object.values(kindLetters).find((each) => each === word) ?? kindLetters[word];
    if (kind !== undefined) return kind;
    const known = Object.entries(kindLetters).map(([letter, name]) => `${letter} (${name})`);
    throw invalid(text, 'kinds of files', `write some of ${known.join(', ')}, with commas`);
  });
  return new Set(kinds);
}

/** Reads `+10M` (more than), `-10M` (less than) or `10M` (exactly). @throws VarveError `INVALID` */
export function parseSizeTest(text: string): FileTest {
  const test = comparison(text, parseSize);
  return ({ size }) => test(size);
}

/** Reads `+1`, `-3`, `2`. @throws VarveError `INVALID` */
export function parseLinksTest(text: string): FileTest {
  const test = comparison(text, (digits) => {
    if (/^\d{1,15}$/.test(digits)) return Number(digits);
    throw invalid(text, 'a count', 'write 2, +1 (more than one) or -3 (less than three)');
  });
  return ({ links }) => test(links);
}

/**
 * Reads permissions in octal digits: `644` for exactly these, `-644` for at least these, `/222` for any of these.
 *
 * @throws VarveError `INVALID`
 */
export function parsePermissionsTest(text: string): FileTest {
  const [, how, digits] = /^([-/]?)([0-7]{1,4})$/.exec(text) ?? [];
  if (digits === undefined) {
    throw invalid(text, 'permissions', 'write octal digits: 644 for these, -4000 for at least these, /222 for any');
  }
  const bits = Number.parseInt(digits, 8);
  if (how === '-') return ({ mode }) => (mode & bits) === bits;
  return how === '/' ? ({ mode }) => bits === 0 || (mode & bits) !== 0 : ({ mode }) => mode === bits;
}

/** Which of a file's times is meant. */
export type TimeOf = (stat: FileStat) => Timestamp | undefined;

/**
 * A moment, in milliseconds since 1970: a date that `parseDate` reads, or how long before `now` it was, as in `7d`.
 *
 * @throws VarveError `INVALID`
 */
export function parseMoment(text: string, now: number, parseDate: (text: string) => number): number {
  if (/^\d{4}-/.test(text)) return parseDate(text);
  try {
    return now - parseDuration(text);
  } catch (error) {
    if (!isVarveError(error)) throw error;
    throw invalid(text, 'a moment', 'write a date, as in 2026-03-01, or how long ago it was, as in 7d, 12h or 30min');
  }
}

/** Reads `-7` (less than seven days before `now`), `+7` (more than seven whole days) or `7`, as find(1) does. @throws VarveError `INVALID` */
export function parseAgeTest(text: string, now: number, timeOf: TimeOf): FileTest {
  const test = comparison(text, (digits) => {
    if (/^\d{1,9}$/.test(digits)) return Number(digits);
    throw invalid(text, 'an age in days', 'write -7 (less than seven days), +7 (more) or 7');
  });
  return (stat) => {
    const time = timeOf(stat);
    return time !== undefined && test(Math.floor((now - millisecondsOf(time)) / dayMs));
  };
}

/** Whether a file's time is after (`newer`) or before (`older`) a moment in milliseconds since 1970. */
export function momentTest(moment: number, timeOf: TimeOf, way: 'newer' | 'older'): FileTest {
  return (stat) => {
    const time = timeOf(stat);
    if (time === undefined) return false;
    return way === 'newer' ? millisecondsOf(time) > moment : millisecondsOf(time) < moment;
  };
}

function millisecondsOf({ nanoseconds, seconds }: Timestamp): number {
  return seconds * 1000 + nanoseconds / 1e6;
}

function comparison(text: string, parse: (rest: string) => number): (value: number) => boolean {
  const wanted = parse(text.replace(/^[+-]/, ''));
  if (text.startsWith('+')) return (value) => value > wanted;
  return text.startsWith('-') ? (value) => value < wanted : (value) => value === wanted;
}

function invalid(text: string, what: string, advice: string): VarveError {
  return new VarveError('INVALID', `cannot read ${JSON.stringify(text)} as ${what}: ${advice}`);
}
