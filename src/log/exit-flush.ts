import { VarveError } from '../base/varve-error.ts';
import type { Log } from './log.ts';

const signals = ['SIGTERM', 'SIGHUP', 'SIGINT'] as const;

/**
 * Makes `log` print what was going on when the process ends by an uncaught error, SIGTERM or SIGHUP, and take its
 * progress bars down in any case. How the process ends stays the same: an uncaught error is reported by Node, with its
 * exit status, and a signal that nobody else listens to still kills (143 in a shell, for SIGTERM). Where somebody
 * does, for an orderly end, that is left to them. Disposing takes all of it back.
 */
export function installExitFlush(log: Log): Disposable {
  const onSignal = (signal: NodeJS.Signals) => {
    // Whoever presses Ctrl-C knows what was going on.
    if (signal !== 'SIGINT') log.flush(new VarveError('ABORTED', `stopped by ${signal}`));
    if (process.listenerCount(signal) > 1) return;
    log.close();
    process.off(signal, onSignal);
    process.kill(process.pid, signal);
  };
  const onError = (error: unknown) => {
    log.close();
    log.flush(error);
  };
  const onExit = () => log.close();
  for (const signal of signals) process.on(signal, onSignal);
  process.on('uncaughtExceptionMonitor', onError);
  process.on('exit', onExit);
  return {
    [Symbol.dispose]: () => {
      for (const signal of signals) process.off(signal, onSignal);
      process.off('uncaughtExceptionMonitor', onError);
      process.off('exit', onExit);
    },
  };
}
