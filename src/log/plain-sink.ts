import { printable } from './printable.ts';
import type { LogLine, LogSink } from './sink.ts';
import { TextOutput, type TextStream } from './text-output.ts';

/** How sinks for people write errors. */
export interface PlainSinkOptions {
  /** Stands before an error's text; `error: ` by default. */
  readonly errorPrefix?: string;
}

/** One line of text for each line, without indentation or colour, and nothing of progress: for pipes and files. */
export function plainSink(stream: TextStream, { errorPrefix = 'error: ' }: PlainSinkOptions = {}): LogSink {
  const output = new TextOutput(stream);
  return {
    line: (line) => output.write(`${plainLines(line, errorPrefix).join('\n')}\n`),
    progress: () => {},
    close: () => {},
  };
}

/** The lines of text for a line: one, and more only where an error shows its stack. Safe for a terminal. */
export function plainLines(line: LogLine, errorPrefix: string): string[] {
  const text = line.kind === 'error' ? `${errorPrefix}${line.text}` : line.text;
  const stack = line.stack?.split('\n').map((each) => `  ${printable(each)}`) ?? [];
  return [printable(text), ...stack];
}
