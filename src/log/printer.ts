import { inspect } from 'node:util';
import type { Entry } from './branch.ts';
import { entryText, errorText } from './entry-text.ts';
import { attachedPath } from './error-paths.ts';
import type { LogLine, LogSink } from './sink.ts';

/**
 * Prints paths to sinks, and of each only what differs from the one before. Where the output turns to another branch
 * and back, the lines that stand above new ones come again, so that nothing is ever read under the wrong scope.
 */
export class Printer {
  readonly sinks: readonly LogSink[];
  readonly verbose: boolean;
  /** Entry ids of the path that was printed last. */
  #last: readonly number[] = [];
  readonly #reported = new WeakSet<Error>();

  constructor(sinks: readonly LogSink[], verbose: boolean) {
    this.sinks = sinks;
    this.verbose = verbose;
  }

  printPath(path: readonly Entry[]): void {
    if (this.sinks.length === 0) return;
    let depth = -1;
    let same = true;
    for (const [index, entry] of path.entries()) {
      if (entry.level > (path[index - 1]?.level ?? 0)) depth += 1;
      same &&= this.#last[index] === entry.id;
      if (same) continue;
      const heading = (path[index + 1]?.level ?? 0) > entry.level;
      if (!entry.printed || heading) this.#printEntry(entry, depth);
    }
    this.#last = path.map((entry) => entry.id);
  }

  /**
   * Prints the way to `error` and `error` itself, once however often it is reported. The way is the path that the
   * error was thrown on, or else all of `paths`.
   */
  printError(error: unknown, paths: readonly (readonly Entry[])[]): void {
    if (error instanceof Error && this.#reported.has(error)) return;
    if (error instanceof Error && this.sinks.length > 0) this.#reported.add(error);
    this.#printFailure(errorText(error), attachedPath(error), paths, {
      error,
      ...(this.verbose && error instanceof Error ? { stack: safeInspect(error) } : {}),
    });
  }

  /** Prints the way to here and what failed. */
  printFailure(text: string, path: readonly Entry[]): void {
    this.#printFailure(text, path, [], {});
  }

  #printFailure(
    text: string,
    path: readonly Entry[] | undefined,
    otherwise: readonly (readonly Entry[])[],
    details: Pick<LogLine, 'error' | 'stack'>,
  ): void {
    const paths = path === undefined ? otherwise : [path];
    for (const each of paths) this.printPath(each);
    const last = paths.at(-1) ?? [];
    this.#print({
      kind: 'error',
      depth: Math.max(0, new Set(last.map((entry) => entry.level)).size - 1),
      text,
      time: Date.now(),
      path: last.map(entryText),
      ...details,
    });
  }

  #printEntry(entry: Entry, depth: number): void {
    entry.printed = true;
    const { kind, template, time } = entry;
    this.#print({ kind, depth, text: entryText(entry), time, ...(kind === 'message' ? { template } : {}) });
  }

  #print(line: LogLine): void {
    for (const sink of this.sinks) sink.line(line);
  }
}

function safeInspect(error: Error): string {
  try {
    return inspect(error);
  } catch {
    return errorText(error);
  }
}
