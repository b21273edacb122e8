import { installExitFlush } from '../../log/exit-flush.ts';
import { configureLog, log } from '../../log/log.ts';
import { plainSink } from '../../log/plain-sink.ts';
import { terminalSink } from '../../log/terminal-sink.ts';

/**
 * Sends the log to standard error: a tree with progress bars on a terminal, lines elsewhere.
 * @returns what takes down whatever is drawn
 */
export function startLog(verbose: boolean): () => void {
  const makeSink = process.stderr.isTTY ? terminalSink : plainSink;
  configureLog({ sinks: [makeSink(process.stderr, { errorPrefix: 'varve: ' })], verbose });
  installExitFlush(log);
  return () => log.close();
}
