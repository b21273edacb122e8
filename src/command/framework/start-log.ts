import { installExitFlush } from '../../log/exit-flush.ts';
import { configureLog, log } from '../../log/log.ts';
import { sinkFor } from '../../log/sink-for.ts';

/**
 * Sends the log to standard error: a tree with progress bars on a terminal, lines elsewhere.
 * @returns what takes down whatever is drawn
 */
export function startLog(verbose: boolean): () => void {
  configureLog({ sinks: [sinkFor(process.stderr, { errorPrefix: 'varve: ' })], verbose });
  installExitFlush(log);
  return () => log.close();
}
