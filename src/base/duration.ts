import { VarveError } from './varve-error.ts';

/** Writes a duration for people, two units at most, rounded up to seconds: `4 s`, `1 min 05 s`, `2 h 03 min`, `3 d 04 h`. */
export function formatDuration(milliseconds: number): string {
  const seconds = Math.ceil(milliseconds / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${twoDigits(seconds % 60)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 24) return `${hours} h ${twoDigits(minutes % 60)} min`;
  return `${Math.floor(hours / 24)} d ${twoDigits(hours % 24)} h`;
}

function twoDigits(count: number): string {
  return String(count).padStart(2, '0');
}

const unitsMs: Readonly<Record<string, number>> = {
  us: 0.001,
  µs: 0.001,
  ms: 1,
  s: 1000,
  min: 60_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/**
 * Reads a duration as people write it: `10ms`, `1.5 s`, `2min`, `1h`.
 *
 * @returns milliseconds
 * @throws VarveError `INVALID` naming the text and what is accepted
 */
export function parseDuration(text: string): number {
  const [, count, unit = ''] = /^(\d{1,12}(?:\.\d{1,6})?)\s*([a-zµ]+)$/.exec(text.trim()) ?? [];
  const unitMs = unitsMs[unit];
  if (count !== undefined && unitMs !== undefined) return Number(count) * unitMs;
  const accepted = 'write a number with us, ms, s, min, h or d, as in 10ms, 1.5s, 2min';
  throw new VarveError('INVALID', `cannot read ${JSON.stringify(text)} as a duration; ${accepted}`);
}
