import { VarveError } from '../../base/varve-error.ts';

const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 } as const;
/** Timers take no more. */
const longestMs = 2 ** 31 - 1;

/** Reads a duration such as `500ms`, `30s`, `5m`, `1h`, as milliseconds; `0` is none. @throws INVALID */
export function parseDuration(text: string): number {
  const [, count = '', unit = ''] = /^(\d+)(ms|s|m|h)$/.exec(text.trim()) ?? [];
  const milliseconds = text.trim() === '0' ? 0 : Number(count) * (units[unit as keyof typeof units] ?? Number.NaN);
  if (milliseconds <= longestMs) return milliseconds;
  throw new VarveError(
    'INVALID',
    `cannot read ${JSON.stringify(text)} as a duration: write a whole number and ms, s, m or h, as in 30s, up to 24 days`,
  );
}
