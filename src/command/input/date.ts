import { VarveError } from '../../base/varve-error.ts';

const shape = /^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/;

/**
 * Reads a time in ISO 8601, local where it names no zone: `2026-03-01`, `2026-03-01T10:30`, `2026-03-01T10:30:00Z`.
 * @returns milliseconds since 1970
 * @throws INVALID
 */
export function parseDate(text: string): number {
  // A date alone would be taken for UTC.
  const time = shape.test(text)
    ? Date.parse(text.length === 10 ? `${text}T00:00` : text.replace(' ', 'T'))
    : Number.NaN;
  if (Number.isNaN(time) || !isRealDay(text)) {
    throw new VarveError(
      'INVALID',
      `cannot read ${JSON.stringify(text)} as a time; write ISO 8601, as in 2026-03-01 or 2026-03-01T10:30:00+01:00`,
    );
  }
  return time;
}

/** `Date.parse` takes the 31st of February for the 3rd of March. */
function isRealDay(text: string): boolean {
  const day = text.slice(0, 10);
  return new Date(`${day}T00:00Z`).toISOString().startsWith(day);
}
