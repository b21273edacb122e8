import { AsyncLocalStorage } from 'node:async_hooks';
import { Branch, type Entry } from './branch.ts';
import { entryText, formatMessage } from './entry-text.ts';
import { attachedPath, attachPath } from './error-paths.ts';
import { Printer } from './printer.ts';
import { Progress, type ProgressOptions } from './progress.ts';
import type { LogSink } from './sink.ts';

/** What a log does with what it is told. */
export interface LogOptions {
  /** Where lines go; none by default. */
  readonly sinks?: readonly LogSink[];
  /** Print every message when it comes instead of when something fails. */
  readonly verbose?: boolean;
  /** Milliseconds that never go back, for rates; `performance.now` by default. */
  readonly clock?: () => number;
}

/**
 * A hierarchical log: it keeps the messages that led to where the program is, and prints them when something fails.
 * docs/log.md says how.
 */
export interface Log {
  /**
   * Notes a step. `level` counts from 1, larger is deeper; `template` is printf-like (`%s`, `%d`, `%j`) and filled in
   * only if it is printed. Templates are constants: what comes from outside belongs into the values.
   */
  (level: number, template: string, ...values: readonly unknown[]): void;
  /**
   * Runs `run` inside a scope named `name`: its messages, also those after an `await`, stand below the name, apart
   * from those of scopes that run beside it. Returns what `run` returns and throws what it throws; such an error
   * then knows its path.
   */
  scope<T>(name: string, run: (scope: Log) => T): T;
  /** Prints the path that led to `error`, as far as it is not on the screen already, and `error: …`. Each error is printed once. */
  error(error: unknown): void;
  /** The same for a failure that nobody threw. */
  fail(template: string, ...values: readonly unknown[]): void;
  /** Starts showing how far something is. */
  progress(options: ProgressOptions): Progress;
  /** The lines that led to here, outermost first. */
  path(): string[];
  /** The lines that led to where `error` was thrown; none if it crossed no scope. */
  pathOf(error: unknown): string[];
  /** Prints `error` and what every open scope was doing: for when the program is about to end. */
  flush(error: unknown): void;
  /** Takes down whatever the sinks have drawn. */
  close(): void;
}

/** What the handles of one log share. */
class LogState {
  readonly storage = new AsyncLocalStorage<Branch>();
  readonly root = new Branch();
  printer = new Printer([], false);
  clock = () => performance.now();

  configure({ sinks = [], verbose = false, clock }: LogOptions): void {
    for (const sink of this.printer.sinks) sink.close();
    this.printer = new Printer(sinks, verbose);
    if (clock !== undefined) this.clock = clock;
  }
}

/** A new log, apart from all others. */
export function createLog(options: LogOptions = {}): Log {
  const state = new LogState();
  state.configure(options);
  return newHandle(state);
}

const defaultState = new LogState();

/** The log that all of Varve writes to. It prints nothing until `configureLog` gives it sinks. */
export const log: Log = newHandle(defaultState);

/** Sets where `log` prints to; the command line does so once. Sinks that it had are closed. */
export function configureLog(options: LogOptions): void {
  defaultState.configure(options);
}

/** A log that writes to `fixed`, or else to the scope that the caller runs in. */
function newHandle(state: LogState, fixed?: Branch): Log {
  const branch = () => fixed ?? state.storage.getStore() ?? state.root;
  const handle = (level: number, template: string, ...values: readonly unknown[]): void => {
    const here = branch();
    here.add(level, template, values);
    if (state.printer.verbose) state.printer.printPath(here.path());
  };
  return Object.assign(handle, {
    scope: <T>(name: string, run: (scope: Log) => T) => runScope(state, branch().open(name), run),
    error: (error: unknown) => state.printer.printError(error, [branch().path()]),
    fail: (template: string, ...values: readonly unknown[]) =>
      state.printer.printFailure(formatMessage(template, values), branch().path()),
    progress: (options: ProgressOptions) =>
      new Progress(options, scopesOf(branch().path()), state.printer.sinks, state.clock),
    path: () => branch().path().map(entryText),
    pathOf: (error: unknown) => (attachedPath(error) ?? []).map(entryText),
    flush: (error: unknown) => state.printer.printError(error, openPaths(state.root)),
    close: () => {
      for (const sink of state.printer.sinks) sink.close();
    },
  });
}

function runScope<T>(state: LogState, branch: Branch, run: (scope: Log) => T): T {
  if (state.printer.verbose) state.printer.printPath(branch.path());
  const failed = (error: unknown): never => {
    attachPath(error, branch.path());
    branch.close();
    throw error;
  };
  let result: T;
  try {
    result = state.storage.run(branch, run, newHandle(state, branch));
  } catch (error) {
    return failed(error);
  }
  if (result instanceof Promise) return result.then((value) => finished(branch, value), failed) as T;
  return finished(branch, result);
}

function finished<T>(branch: Branch, value: T): T {
  branch.close();
  return value;
}

function scopesOf(path: readonly Entry[]): { id: number; name: string }[] {
  return path.filter((entry) => entry.kind === 'scope').map((entry) => ({ id: entry.id, name: entry.template }));
}

/** The paths of `branch` and of all open scopes below it, each before those inside it. */
function openPaths(branch: Branch): (readonly Entry[])[] {
  return [branch.path(), ...[...branch.children].flatMap(openPaths)];
}
