import { readdirSync, readFileSync } from 'node:fs';
import { errnoError, libc } from './libc.ts';

/* Source: prctl(2), waitpid(2). */
const PR_SET_CHILD_SUBREAPER = 36;
const WNOHANG = 1;

/**
 * Has processes whose parents end become children of this one, instead of the system's first, if they descend from it:
 * however they detach themselves, they stay in the tree.
 *
 * @throws VarveError by errno; `UNSUPPORTED` on other systems than Linux
 */
export function adoptOrphans(): void {
  const { errno, prctl } = libc();
  if (prctl(PR_SET_CHILD_SUBREAPER, 1n, 0n, 0n, 0n) !== 0) throw errnoError('adopt processes', 'prctl', errno());
}

/** Takes note of the end of a child that Node does not know of, such as one that was adopted. */
export function reapChild(pid: number): void {
  libc().waitpid(pid, 0n, WNOHANG);
}

/** A process of this machine. */
export interface TreeProcess {
  readonly pid: number;
  readonly parent: number;
  /** Whether it has ended, and only its parent has not taken note. */
  readonly isZombie: boolean;
}

/** All that descend from a process, children before grandchildren. */
export function descendantsOf(pid: number): TreeProcess[] {
  const children = Map.groupBy(allProcesses(), ({ parent }) => parent);
  const found = [...(children.get(pid) ?? [])];
  // Grows while it is walked.
  for (const each of found) found.push(...(children.get(each.pid) ?? []));
  return found;
}

/** Source: proc(5), `/proc/PID/stat`, fields 3 and 4. */
function allProcesses(): TreeProcess[] {
  return readdirSync('/proc').flatMap((name) => {
    if (!/^\d+$/.test(name)) return [];
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1');
      const [state = '', parent = ''] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return [{ pid: Number(name), parent: Number(parent), isZombie: state === 'Z' || state === 'X' }];
    } catch {
      // It ended meanwhile.
      return [];
    }
  });
}
