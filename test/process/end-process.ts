import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';

/** How a process ended. */
export type ProcessEnd = [status: number | null, signal: NodeJS.Signals | null];

/** On the busiest machine; only who waits for a disk that nobody serves any more takes longer. */
const longestEndMs = 60_000;

/** Sends a signal to a process, unless it has ended, and waits until it has. @throws Error where it has not after a minute */
export async function endProcess(child: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<ProcessEnd> {
  if (child.exitCode !== null || child.signalCode !== null) return [child.exitCode, child.signalCode];
  return await endAndAwait(child, once(child, 'exit') as Promise<ProcessEnd>, signal);
}

/**
 * The same, and waits for what is settled when the process has ended: `once(child, 'close')`, or what it printed.
 *
 * @throws Error where it is not settled a minute after the signal
 */
export async function endAndAwait<How>(
  child: ChildProcess,
  ended: Promise<How>,
  signal: NodeJS.Signals = 'SIGKILL',
): Promise<How> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`${letGo(child)} ${longestEndMs} ms after ${signal}`)),
    longestEndMs,
  );
  child.kill(signal);
  try {
    return await Promise.race([ended, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Has the test end without it, and says what it does. */
function letGo(child: ChildProcess): string {
  child.unref();
  for (const stream of child.stdio) stream?.destroy();
  return `${child.spawnargs.join(' ')} (process ${child.pid}) has not ended, and is ${stateOf(child.pid)},`;
}

/** The letter that ps(1) shows: D for who waits for a disk. */
function stateOf(pid: number | undefined): string {
  try {
    return /\) (\w)/.exec(fs.readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1] ?? 'unknown';
  } catch {
    return 'gone';
  }
}
