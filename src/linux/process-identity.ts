import fs from 'node:fs';

/** What tells a process from every other one, before and after it, on this machine. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in clock ticks since boot; 0 where that is not shown. */
  readonly startTime: number;
  readonly bootId: string;
}

/** Who this process is. */
export function ownIdentity(): ProcessIdentity {
  return identityOf(process.pid) ?? { pid: process.pid, startTime: 0, bootId: bootId() };
}

/** Who a process is; undefined for one that is not there, or has ended. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid);
  if (startTime === 'dead') return undefined;
  return { pid, startTime: startTime === 'unknown' ? 0 : startTime, bootId: bootId() };
}

/** Whether a process lives; one that has ended and was not waited for does not. One of that number that is hidden may. */
export function isRunning({ pid, startTime, bootId: startedIn }: ProcessIdentity): boolean {
  if (startedIn !== bootId()) return false;
  const found = startTimeOf(pid);
  return found === 'unknown' || found === startTime;
}

/** What names the numbers of processes that this one sees: `pid:[4026531836]`. */
export function pidNamespace(): string {
  try {
    return fs.readlinkSync('/proc/self/ns/pid');
  } catch {
    return 'unknown';
  }
}

let knownBootId: string | undefined;

/** The number by which the kernel names the time since it started. */
function bootId(): string {
  knownBootId ??= readOr('/proc/sys/kernel/random/boot_id', 'unknown').trim();
  return knownBootId;
}

/**
 * When a process started: with its number that names it until the next boot. Unknown for one that lives and is not shown:
 * other people's under `hidepid`, all of them where there is no /proc. Source: proc(5), `/proc/PID/stat`, fields 3 and 22.
 */
function startTimeOf(pid: number): number | 'unknown' | 'dead' {
  const stat = readOr(`/proc/${pid}/stat`, '');
  if (stat === '') return isThere(pid) ? 'unknown' : 'dead';
  // The program's name before them may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' || fields[0] === 'X' ? 'dead' : Number(fields[19]);
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code !== 'ESRCH';
  }
}

function readOr(path: string, fallback: string): string {
  try {
    return fs.readFileSync(path, 'latin1');
  } catch {
    return fallback;
  }
}
