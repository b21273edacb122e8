import { parseDuration } from '../../base/duration.ts';
import { VarveError } from '../../base/varve-error.ts';

/** Timers take no more. */
const longestMs = 2 ** 31 - 1;

/** Reads how long something may take, as `30s` or `5m`, in milliseconds; `0` is for ever. @throws VarveError `INVALID` */
export function parseTimeLimit(text: string): number {
  if (text.trim() === '0') return 0;
  const limit = Math.ceil(parseDuration(text));
  if (limit > 0 && limit <= longestMs) return limit;
  const accepted = 'give at least 1us and at most 24 days, or 0 for no limit';
  throw new VarveError('INVALID', `${JSON.stringify(text)} is no limit of time that can be kept; ${accepted}`);
}
