import { plainSink } from './plain-sink.ts';
import type { LogSink } from './sink.ts';
import { type TerminalSinkOptions, type TerminalStream, terminalSink } from './terminal-sink.ts';

/** The sink for people that fits `stream`: a tree with progress bars on a terminal that can draw, else plain lines. */
export function sinkFor(stream: TerminalStream, options: TerminalSinkOptions = {}): LogSink {
  const { TERM } = options.environment ?? process.env;
  const draws = stream.isTTY === true && TERM !== 'dumb';
  return draws ? terminalSink(stream, options) : plainSink(stream, options);
}
