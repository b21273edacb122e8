import { setTimeout } from 'node:timers/promises';
import { descendantsOf } from '../../linux/process-tree.ts';

const pauseMs = 20;

/**
 * Ends all that descends from this process, but for `spared` and what descends from those: asks with SIGTERM, waits for `graceMs`, then kills what is left. Whatever was adopted
 * (`adoptOrphans`) is among them. Returns when none lives.
 */
export async function endTree(graceMs: number, spared: ReadonlySet<number>): Promise<void> {
  const living = (): number[] => livingBut(spared);
  for (const pid of living()) send(pid, 'SIGTERM');
  const start = Date.now();
  while (living().length > 0 && Date.now() - start < graceMs) await setTimeout(pauseMs);
  while (living().length > 0) {
    killAll(living);
    await setTimeout(1);
  }
}

/** Stops them all first, so that none starts another while the rest is being killed. */
function killAll(living: () => number[]): void {
  const stopped = new Set<number>();
  for (let found = living(); found.some((pid) => !stopped.has(pid)); found = living()) {
    for (const pid of found) {
      if (!stopped.has(pid)) send(pid, 'SIGSTOP');
      stopped.add(pid);
    }
  }
  for (const pid of stopped) send(pid, 'SIGKILL');
}

function livingBut(spared: ReadonlySet<number>): number[] {
  const left = new Set<number>();
  const found: number[] = [];
  // Parents come before their children.
  for (const { isZombie, parent, pid } of descendantsOf(process.pid)) {
    if (spared.has(pid) || left.has(parent)) left.add(pid);
    else if (!isZombie) found.push(pid);
  }
  return found;
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It ended by itself, or became another user's and is not ours to end.
  }
}
