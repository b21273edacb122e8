import { formatDuration } from '../../base/duration.ts';
import type { FileStat, Timestamp } from '../../filesystem/file-system.ts';
import { localTime } from './local-time.ts';

/** A file's times. */
export const fileTimes = ['modified', 'accessed', 'changed', 'created'] as const;

/** One of `fileTimes`. */
export type FileTime = (typeof fileTimes)[number];

const kindLetters: Readonly<Record<FileStat['kind'], string>> = {
  file: '-',
  directory: 'd',
  symlink: 'l',
  block: 'b',
  character: 'c',
  fifo: 'p',
  socket: 's',
};

/** A file's kind and permissions as ls(1) shows them: `drwxr-xr-t`. */
export function modeText({ kind, mode }: FileStat): string {
  const bits = [6, 3, 0].map((shift) => (mode >> shift) & 7);
  const special = [mode & 0o4000, mode & 0o2000, mode & 0o1000];
  const groups = bits.map((each, index) => {
    const run = (each & 1) !== 0;
    const letter = index === 2 ? 't' : 's';
    const last = special[index] === 0 ? (run ? 'x' : '-') : run ? letter : letter.toUpperCase();
    return `${(each & 4) === 0 ? '-' : 'r'}${(each & 2) === 0 ? '-' : 'w'}${last}`;
  });
  return kindLetters[kind] + groups.join('');
}

/** A file's size, or the device that it stands for: `8, 1`. */
export function sizeText({ device, size }: FileStat): string {
  return device === undefined ? String(size) : `${device.major}, ${device.minor}`;
}

/** A file's time for people; a dash where the file system keeps none. */
export function timeText(time: Timestamp | undefined): string {
  if (time === undefined) return '-';
  return isDate(time) ? localTime(time.seconds * 1000) : `@${time.seconds}`;
}

/** How times can be shown. */
export const timeStyles = ['iso', 'full', 'seconds', 'relative'] as const;

/** What shows times in one of `timeStyles`: `relative` to now, in milliseconds since 1970. */
export function timeShower(style: (typeof timeStyles)[number], now: number): (time: Timestamp | undefined) => string {
  if (style === 'iso') return timeText;
  if (style === 'full') return (time) => timeJson(time) ?? '-';
  if (style === 'seconds') return (time) => (time === undefined ? '-' : String(time.seconds));
  return (time) => (time === undefined ? '-' : ageText(now - time.seconds * 1000));
}

function ageText(age: number): string {
  return age < 0 ? `in ${formatDuration(-age)}` : `${formatDuration(age)} ago`;
}

/** A file's time for programs: ISO 8601 in UTC, with nanoseconds. */
export function timeJson(time: Timestamp | undefined): string | undefined {
  if (time === undefined) return undefined;
  if (!isDate(time)) return `@${time.seconds}`;
  const seconds = new Date(time.seconds * 1000).toISOString().slice(0, -5);
  return `${seconds}.${String(time.nanoseconds).padStart(9, '0')}Z`;
}

/** Damaged disks have times that no calendar has. */
function isDate({ seconds }: Timestamp): boolean {
  return Math.abs(seconds) < 8.6e12;
}
