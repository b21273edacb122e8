import { VarveError } from '../../base/varve-error.ts';

/**
 * The moment that was so long before `now`: `90d`, `12w`, `6m` (months), `2y`; or a date, as `parseDate` reads it.
 *
 * @returns milliseconds since 1970, as `now` is
 * @throws VarveError `INVALID`
 */
export function parseAge(text: string, now: number, parseDate: (text: string) => number): number {
  if (/^\d{4}-/.test(text)) return parseDate(text);
  const [, digits, unit] = /^(\d{1,5})([dwmy])$/.exec(text.trim()) ?? [];
  if (digits === undefined) {
    const advice = 'write a number of d, w, m (months) or y, as in 90d or 6m, or a date, as in 2026-03-01';
    throw new VarveError('INVALID', `cannot read ${JSON.stringify(text)} as an age: ${advice}`);
  }
  const count = Number(digits);
  if (unit === 'd') return daysBefore(now, count);
  if (unit === 'w') return daysBefore(now, count * 7);
  return monthsBefore(now, unit === 'y' ? count * 12 : count);
}

function daysBefore(now: number, days: number): number {
  return now - days * 86_400_000;
}

/** By the calendar; where that month is too short, its last day. */
function monthsBefore(now: number, months: number): number {
  const moment = new Date(now);
  const day = moment.getDate();
  moment.setDate(1);
  moment.setMonth(moment.getMonth() - months);
  const lastDay = new Date(moment.getFullYear(), moment.getMonth() + 1, 0).getDate();
  moment.setDate(Math.min(day, lastDay));
  return moment.getTime();
}

/** A class of ages that is shown in one colour: what was last used less than `days` ago, and longer than the class before. */
export interface AgeClass {
  readonly days: number;
  /** In words, to people. */
  readonly text: string;
  /** In CSS, from green to red. */
  readonly colour: string;
}

const limits: readonly [days: number, text: string][] = [
  [1, 'within a day'],
  [7, '1 day to 1 week ago'],
  [30, '1 week to 1 month ago'],
  [91, '1 to 3 months ago'],
  [182, '3 to 6 months ago'],
  [365, '6 months to 1 year ago'],
  [730, '1 to 2 years ago'],
  [1461, '2 to 4 years ago'],
  [Number.POSITIVE_INFINITY, 'more than 4 years ago'],
];

/** All ages, the least first. */
export const ageClasses: readonly AgeClass[] = limits.map(([days, text], index) => {
  const hue = Math.round(125 - (125 * index) / (limits.length - 1));
  return { days, text, colour: `hsl(${hue}, 72%, 47%)` };
});

/** Which class something is in that was last used at `time`, in seconds since 1970; `now` in milliseconds. */
export function ageClassOf(time: number, now: number): number {
  const days = (now / 1000 - time) / 86_400;
  const found = ageClasses.findIndex((each) => days < each.days);
  return found < 0 ? ageClasses.length - 1 : found;
}
