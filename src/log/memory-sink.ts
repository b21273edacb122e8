import { plainLines } from './plain-sink.ts';
import type { Progress } from './progress.ts';
import type { LogLine, LogSink, ProgressChange } from './sink.ts';

/** A sink that keeps what it gets, for tests. */
export interface MemorySink extends LogSink {
  readonly lines: LogLine[];
  readonly changes: { readonly progress: Progress; readonly change: ProgressChange }[];
  /** The lines as `plainSink` prints them. */
  texts(): string[];
}

/** A sink that keeps what it gets, for tests. */
export function memorySink(): MemorySink {
  const lines: LogLine[] = [];
  const changes: MemorySink['changes'] = [];
  return {
    lines,
    changes,
    texts: () => lines.flatMap((line) => plainLines(line, 'error: ')),
    line: (line) => {
      lines.push(line);
    },
    progress: (progress, change) => {
      changes.push({ progress, change });
    },
    close: () => {},
  };
}
