import { VarveError } from '../../base/varve-error.ts';

const dayMs = 86_400_000;

/** How often file systems are to be checked; what is left out stays as it is. */
export interface CheckRhythm {
  /** Every so many days; 0 for never. */
  readonly days?: number | undefined;
  /** After so many mounts; 0 for never. */
  readonly mounts?: number | undefined;
}

/**
 * The options of tune2fs(8) for each of `count` file systems, so that no two of them are due on the same day, nor, as far
 * as that goes, at the same mount. `now` is in milliseconds since 1970.
 *
 * @throws VarveError `INVALID` where there are more file systems than days
 */
export function staggerChecks(count: number, { days, mounts }: CheckRhythm, now: number): string[][] {
  if (days !== undefined && days > 0 && count > days) {
    throw new VarveError(
      'INVALID',
      `${count} file systems cannot be due on different days when each is due every ${days} days; give --checks ${count} or more`,
    );
  }
  return Array.from({ length: count }, (_, index) => [
    ...(days === undefined ? [] : byDays(index, count, days, now)),
    ...(mounts === undefined ? [] : byMounts(index, count, mounts)),
  ]);
}

/** The first one is due soonest: it counts as checked the longest ago. Once they are checked they stay as far apart. */
function byDays(index: number, count: number, days: number, now: number): string[] {
  if (days === 0) return ['-i', '0'];
  const dueInDays = Math.ceil(((index + 1) * days) / count);
  return ['-i', `${days}d`, '-T', timeText(now - (days - dueInDays) * dayMs)];
}

function byMounts(index: number, count: number, mounts: number): string[] {
  if (mounts === 0) return ['-c', '0'];
  return ['-c', String(mounts), '-C', String(Math.floor(((count - 1 - index) * mounts) / count))];
}

/** `20260301123000`, in UTC. */
function timeText(time: number): string {
  return new Date(time).toISOString().replace(/[-:T]/g, '').slice(0, 14);
}
