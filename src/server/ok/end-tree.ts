import { setTimeout } from 'node:timers/promises';
import { descendantsOf } from '../../linux/process-tree.ts';

const pauseMs = 20;

/**
 * Ends all that descends from this process: asks with SIGTERM, waits for `graceMs`, then kills what is left. Whatever was adopted
 * (`adoptOrphans`) is among them. Returns when none lives.
 */
export async function endTree(graceMs: number): Promise<void> {
  for (const pid of living()) send(pid, 'SIGTERM');
  const start = Date.now();
  while (living().length > 0 && Date.now() - start < graceMs) await setTimeout(pauseMs);
  while (living().length > 0) {
    killAll();
    await setTimeout(1);
  }
}

/** Stops them all first, so that none starts another while the rest is being killed. */
function killAll(): void {
  const stopped = new Set<number>();
  for (let found = living(); found.some((pid) => !stopped.has(pid)); found = living()) {
    for (const pid of found) {
      if (!stopped.has(pid)) send(pid, 'SIGSTOP');
      stopped.add(pid);
    }
  }
  for (const pid of stopped) send(pid, 'SIGKILL');
}

function living(): number[] {
  return descendantsOf(process.pid).flatMap(({ isZombie, pid }) => (isZombie ? [] : [pid]));
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself, or became another user's and is not ours to end.
  }
}
