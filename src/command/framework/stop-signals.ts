import { constants } from 'node:os';
import { VarveError } from '../../base/varve-error.ts';

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/**
 * Turns the first Ctrl-C, SIGTERM or SIGHUP into an `AbortSignal`, so that work ends in good order; the second ends
 * the process at once. Until this is called, and for commands that never do, signals kill: every change is one
 * transaction, so nothing is lost then either.
 */
export class StopSignals {
  readonly #controller = new AbortController();
  #received: (typeof stopSignals)[number] | undefined;

  constructor() {
    for (const signal of stopSignals) process.on(signal, this.#onSignal);
  }

  get abortSignal(): AbortSignal {
    return this.#controller.signal;
  }

  /** The name of the signal that came, if one did. */
  get received(): string | undefined {
    return this.#received;
  }

  /** The exit status that says so, as shells have it: 130 for Ctrl-C, 143 for SIGTERM. */
  get exitStatus(): number | undefined {
    return this.#received === undefined ? undefined : 128 + constants.signals[this.#received];
  }

  readonly #onSignal = (signal: (typeof stopSignals)[number]): void => {
    if (this.#received !== undefined) this.#kill(signal);
    this.#received = signal;
    this.#controller.abort(new VarveError('ABORTED', `stopped by ${signal === 'SIGINT' ? 'Ctrl-C' : signal}`));
  };

  #kill(signal: NodeJS.Signals): void {
    for (const each of stopSignals) process.removeAllListeners(each);
    process.kill(process.pid, signal);
  }
}
