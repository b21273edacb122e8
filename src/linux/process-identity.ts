import { readFileSync } from 'node:fs';
import { isVarveError, systemError } from '../base/varve-error.ts';

/** What tells a process from every other one, before and after it, on this machine. */
export interface ProcessIdentity {
  readonly pid: number;
  /** When it started, in clock ticks since boot. */
  readonly startTime: number;
  readonly bootId: string;
}

/** Who this process is. @throws VarveError where there is no /proc */
export function ownIdentity(): ProcessIdentity {
  const startTime = startTimeOf(process.pid) ?? 0;
  return { pid: process.pid, startTime, bootId: bootId() };
}

/** Who a process is; undefined for one that is not there, or has ended. */
export function identityOf(pid: number): ProcessIdentity | undefined {
  const startTime = startTimeOf(pid);
  return startTime === undefined ? undefined : { pid, startTime, bootId: bootId() };
}

/** Whether a process lives; one that has ended and was not waited for does not. */
export function isRunning(identity: ProcessIdentity): boolean {
  return identity.bootId === bootId() && startTimeOf(identity.pid) === identity.startTime;
}

/** The number by which the kernel names the time since it started. */
function bootId(): string {
  return read('/proc/sys/kernel/random/boot_id').trim();
}

/** Undefined for a process that is no more. Source: proc(5), `/proc/PID/stat`, fields 3 and 22. */
function startTimeOf(pid: number): number | undefined {
  try {
    const stat = read(`/proc/${pid}/stat`);
    // The program's name before them may itself hold spaces and parentheses.
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : Number(fields[19]);
  } catch (error) {
    // ESRCH: it ended between opening and reading.
    if (isVarveError(error, 'NOT_FOUND', 'IO')) return undefined;
    throw error;
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch (error) {
    throw systemError(`read ${path}`, error);
  }
}
