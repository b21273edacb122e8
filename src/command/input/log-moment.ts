import { parseDuration } from '../../base/duration.ts';
import { isVarveError, VarveError } from '../../base/varve-error.ts';
import { parseDate } from './date.ts';

const dayMs = 86_400_000;

/**
 * Reads a moment as journalctl(1) takes it, and as ISO 8601: `2026-03-01 10:30`, `yesterday`, `now`, `-2h`, `3d ago`,
 * `@1700000000`.
 *
 * @returns microseconds since 1970
 * @throws VarveError `INVALID`
 */
export function parseLogMoment(text: string): number {
  const now = Date.now();
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  const named: Readonly<Record<string, number>> = {
    now,
    today: midnight,
    yesterday: new Date(midnight - dayMs / 2).setHours(0, 0, 0, 0),
    tomorrow: new Date(midnight + dayMs * 1.5).setHours(0, 0, 0, 0),
  };
  if (Object.hasOwn(named, text)) return named[text]! * 1000;
  const [, seconds] = /^@(\d{1,10}(?:\.\d{1,6})?)$/.exec(text) ?? [];
  if (seconds !== undefined) return Math.round(Number(seconds) * 1_000_000);
  const [, before, ago] = /^(?:-(.+)|(.+) ago)$/.exec(text) ?? [];
  try {
    return ((before ?? ago) === undefined ? parseDate(text) : now - parseDuration((before ?? ago)!)) * 1000;
  } catch (error) {
    if (!isVarveError(error, 'INVALID')) throw error;
    const accepted = 'write 2026-03-01, "2026-03-01 10:30", yesterday, -2h or @1700000000';
    throw new VarveError('INVALID', `cannot read ${JSON.stringify(text)} as a time; ${accepted}`);
  }
}
