import { type BigIntStats, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** A process that has locked a disk. */
export interface DiskUser {
  readonly pid: number;
  /** The name of its program. */
  readonly program: string;
}

/**
 * The other processes that have locked the file at `path`, as far as this user may see them: `/proc` tells of a lock of an
 * open file only beside that file.
 *
 * Source: proc(5), `/proc/PID/fdinfo`.
 */
export function diskUsers(path: string): DiskUser[] {
  const file = statSync(path, { bigint: true, throwIfNoEntry: false });
  if (file === undefined) return [];
  const pids = namesIn('/proc').filter((name) => /^\d+$/.test(name) && name !== String(process.pid));
  return pids.filter((pid) => hasLocked(pid, file)).map((pid) => ({ pid: Number(pid), program: programOf(pid) }));
}

function hasLocked(pid: string, file: BigIntStats): boolean {
  const directory = join('/proc', pid, 'fd');
  return namesIn(directory).some((fd) => {
    const open = attempt(() => statSync(join(directory, fd), { bigint: true }));
    if (open?.ino !== file.ino || open.dev !== file.dev) return false;
    return attempt(() => readFileSync(join('/proc', pid, 'fdinfo', fd), 'utf8'))?.includes('OFDLCK') ?? false;
  });
}

function programOf(pid: string): string {
  return attempt(() => readFileSync(join('/proc', pid, 'comm'), 'utf8'))?.trim() ?? 'a program';
}

function namesIn(directory: string): string[] {
  return attempt(() => readdirSync(directory)) ?? [];
}

/** Processes come and go, and others' are not to be looked into. */
function attempt<T>(look: () => T): T | undefined {
  try {
    return look();
  } catch {
    return undefined;
  }
}
