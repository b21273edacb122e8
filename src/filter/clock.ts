import { setTimeout as sleep } from 'node:timers/promises';

/** Time, as filters see it; tests give one that runs as they like. Times are in milliseconds. */
export interface Clock {
  /** Counts up from anywhere. */
  now(): number;
  sleep(milliseconds: number): Promise<unknown>;
}

/** Timers know no longer time; in milliseconds. */
const maximumSleepMs = 2 ** 31 - 1;

/** The time of this machine. A sleep of more than 24 days ends after those. */
export const systemClock: Clock = {
  now: () => performance.now(),
  sleep: (milliseconds) => sleep(Math.min(milliseconds, maximumSleepMs)),
};
