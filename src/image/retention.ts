import type { Snapshot } from '../store/image-table.ts';

/** Which snapshots to keep: counts of the last ones, and of the last hours, days, … in which there are any. */
export interface RetentionPolicy {
  readonly last?: number | undefined;
  readonly hourly?: number | undefined;
  readonly daily?: number | undefined;
  readonly weekly?: number | undefined;
  readonly monthly?: number | undefined;
  readonly yearly?: number | undefined;
  /** Snapshots with one of these tags are kept. */
  readonly tags?: readonly string[] | undefined;
  /** Tagged snapshots are removed like others; otherwise all of them are kept. */
  readonly includeTagged?: boolean | undefined;
}

/** A snapshot, and why it is kept; it is to be removed when there is no reason. */
export interface Verdict {
  readonly snapshot: Snapshot;
  readonly reasons: readonly string[];
}

/**
 * Judges the snapshots of an image, given oldest first, by a policy, newest first. As in restic, every rule looks at
 * all snapshots on its own: the daily one keeps the last snapshot of each of the last days that have one, in local
 * time, and a snapshot stays when any rule keeps it. The newest stays in any case.
 */
export function judgeSnapshots(snapshots: readonly Snapshot[], policy: RetentionPolicy): Verdict[] {
  const newestFirst = snapshots.toReversed();
  const reasons = new Map<Snapshot, string[]>(newestFirst.map((snapshot) => [snapshot, []]));
  for (const [index, snapshot] of newestFirst.entries()) {
    const own = reasons.get(snapshot) as string[];
    if (index === 0) own.push('newest');
    if (index < (policy.last ?? 0)) own.push('last');
    const kept = snapshot.tags.filter((tag) => !policy.includeTagged || policy.tags?.includes(tag));
    own.push(...kept.map((tag) => `tag ${tag}`));
  }
  for (const [rule, periodOf] of periods) keepOnePerPeriod(reasons, policy[rule] ?? 0, rule, periodOf);
  return [...reasons].map(([snapshot, own]) => ({ snapshot, reasons: own }));
}

type PeriodRule = 'hourly' | 'daily' | 'weekly' | 'monthly' | 'yearly';

const periods: readonly [PeriodRule, (time: Date) => string][] = [
  ['hourly', (time) => `${dayOf(time)} ${time.getHours()}`],
  ['daily', dayOf],
  ['weekly', (time) => dayOf(mondayOf(time))],
  ['monthly', (time) => `${time.getFullYear()}-${time.getMonth()}`],
  ['yearly', (time) => String(time.getFullYear())],
];

function keepOnePerPeriod(
  reasons: ReadonlyMap<Snapshot, string[]>,
  count: number,
  rule: PeriodRule,
  periodOf: (time: Date) => string,
): void {
  const seen = new Set<string>();
  for (const snapshot of [...reasons.keys()].toSorted((a, b) => b.time - a.time || b.number - a.number)) {
    if (seen.size >= count) return;
    const period = periodOf(new Date(snapshot.time));
    if (seen.has(period)) continue;
    seen.add(period);
    reasons.get(snapshot)?.push(rule);
  }
}

function dayOf(time: Date): string {
  return `${time.getFullYear()}-${time.getMonth()}-${time.getDate()}`;
}

/** Weeks begin on Monday, as in ISO 8601; noon is clear of every change of clocks. */
function mondayOf(time: Date): Date {
  const daysSinceMonday = (time.getDay() + 6) % 7;
  return new Date(time.getFullYear(), time.getMonth(), time.getDate() - daysSinceMonday, 12);
}
