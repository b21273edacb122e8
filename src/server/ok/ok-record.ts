import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { systemError, VarveError } from '../../base/varve-error.ts';
import { isRunning, type ProcessIdentity } from '../../linux/process-identity.ts';
import { requireRunDirectory } from '../run-directory.ts';

/** A command that can be told that what it has done is enough. */
export interface OkRecord {
  readonly name: string;
  readonly command: readonly string[];
  /** The process that waits for it. */
  readonly runner: ProcessIdentity;
}

/** Nobody runs so many of one name. */
const maximumNumber = 10_000;

/**
 * Notes a running command under `name`, or, where that is only proposed, with a number behind it if another has it.
 *
 * @throws VarveError `EXISTS`, `INVALID` for what cannot be a name, by errno
 */
export function noteOkRecord(
  directory: string,
  proposed: { readonly name: string; readonly isFixed: boolean },
  what: Omit<OkRecord, 'name'>,
): OkRecord {
  requireName(proposed.name);
  requireRunDirectory(directory);
  // What a runner left that was killed is in nobody's way.
  for (const { name, runner } of okRecords(directory)) if (!isRunning(runner)) removeOkRecord(directory, name);
  const last = proposed.isFixed ? 1 : maximumNumber;
  for (let number = 1; number <= last; number += 1) {
    const record = { ...what, name: number === 1 ? proposed.name : `${proposed.name}-${number}` };
    try {
      writeFileSync(pathOf(directory, record.name), JSON.stringify(record), { flag: 'wx', mode: 0o600 });
      return record;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw systemError('note the command', error);
    }
  }
  throw new VarveError('EXISTS', `cannot run it as ${proposed.name}: a command of that name is running`);
}

/** Forgets a command that has ended. */
export function removeOkRecord(directory: string, name: string): void {
  rmSync(pathOf(directory, name), { force: true });
}

/** The commands that are running, by name. */
export function runningCommands(directory: string): OkRecord[] {
  return okRecords(directory).filter(({ runner }) => isRunning(runner));
}

function okRecords(directory: string): OkRecord[] {
  return namesIn(directory).flatMap((file) => {
    try {
      return [JSON.parse(readFileSync(join(directory, file), 'utf8')) as OkRecord];
    } catch {
      // It has ended meanwhile, or is only just being written.
      return [];
    }
  });
}

/** @throws VarveError `INVALID` */
function requireName(name: string): void {
  if (/^[A-Za-z0-9_][\w.@-]{0,63}$/.test(name) && name !== 'run') return;
  const rule = 'letters, digits and _.@-, at most 64, and not "run"';
  throw new VarveError('INVALID', `${JSON.stringify(name)} cannot be the name of a command; take ${rule}`);
}

function pathOf(directory: string, name: string): string {
  return join(directory, `${name}.json`);
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}
