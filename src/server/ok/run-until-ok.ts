import { type ChildProcess, spawn } from 'node:child_process';
import { constants } from 'node:os';
import { basename } from 'node:path';
import { systemError } from '../../base/varve-error.ts';
import { ownIdentity } from '../../linux/process-identity.ts';
import { adoptOrphans, descendantsOf } from '../../linux/process-tree.ts';
import { endTree } from './end-tree.ts';
import { noteOkRecord, removeOkRecord } from './ok-record.ts';
import { OrphanReaper } from './orphan-reaper.ts';

/** How a command is run that can be told that it is enough. */
export interface RunUntilOkOptions {
  /** The program and its arguments. */
  readonly command: readonly [string, ...string[]];
  /** Where running commands are noted. */
  readonly directory: string;
  /** The program's own name where nothing is given. */
  readonly name?: string | undefined;
  /** How long its processes may take to end when they are asked to, in milliseconds. */
  readonly graceMs: number;
  /** Besides this process's own. */
  readonly environment?: Readonly<Record<string, string>>;
  /** Called with the command's process when it has begun. */
  readonly onStart?: (pid: number) => void;
}

/** How a command ended. */
export interface RunOutcome {
  /** Its exit status, 128 and more for one that a signal ended; 0 where it was told that it was enough. */
  readonly status: number;
  readonly wasOk: boolean;
}

/**
 * Runs a command until it ends, or until somebody says that what it has done is enough: by SIGUSR2 to this process, as
 * `varve ok NAME` sends it. Then all its processes end, also those that ignore SIGTERM or have made sessions of
 * their own, and not those that this process had started before. The command finds its name in `$VARVE_OK`. Ctrl-C is for the command to answer; SIGTERM and SIGHUP are
 * passed on.
 *
 * @throws VarveError `NOT_FOUND`, `PERMISSION` for a program that cannot be started, `EXISTS` for a name that is taken
 */
export async function runUntilOk(options: RunUntilOkOptions): Promise<RunOutcome> {
  const { command, directory, environment = {}, graceMs } = options;
  const [program, ...args] = command;
  const proposed = { name: options.name ?? nameFor(program), isFixed: options.name !== undefined };
  adoptOrphans();
  const spared = new Set(descendantsOf(process.pid).map(({ pid }) => pid));
  let ending: Promise<void> | undefined;
  using _reaper = new OrphanReaper();
  using signals = new SignalHandlers();
  // Before anybody can know the name: the signal would end this process.
  signals.on('SIGUSR2', () => {
    ending ??= endTree(graceMs, spared);
  });
  const { name } = noteOkRecord(directory, proposed, { command, runner: ownIdentity() });
  try {
    // Before the command can say that it has begun.
    let child: ChildProcess | undefined;
    signals.on('SIGINT', () => {});
    for (const signal of ['SIGTERM', 'SIGHUP'] as const) signals.on(signal, () => void child?.kill(signal));
    child = spawn(program, args, { stdio: 'inherit', env: { ...process.env, ...environment, VARVE_OK: name } });
    const ended = endOf(child, program);
    if (child.pid !== undefined) options.onStart?.(child.pid);
    const status = await ended;
    if (ending === undefined) return { status, wasOk: false };
    await ending;
    return { status: 0, wasOk: true };
  } finally {
    removeOkRecord(directory, name);
  }
}

/** Handlers that are gone when it is disposed of. */
class SignalHandlers implements Disposable {
  readonly #handlers: [NodeJS.Signals, () => void][] = [];

  on(signal: NodeJS.Signals, handler: () => void): void {
    process.on(signal, handler);
    this.#handlers.push([signal, handler]);
  }

  [Symbol.dispose](): void {
    for (const [signal, handler] of this.#handlers.splice(0)) process.off(signal, handler);
  }
}

function endOf(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(systemError(`run ${program}`, error)));
    child.once('exit', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}

function nameFor(program: string): string {
  return (
    basename(program)
      .replace(/[^\w.@-]+/g, '-')
      .replace(/^[.@-]+/, '')
      .slice(0, 50) || 'command'
  );
}
