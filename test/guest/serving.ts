import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { endProcess } from '../process/end-process.ts';
import { varveProgram } from './run-varve.ts';

/** `varve serve` at work. Disposing stops it, and waits until it has ended. */
export interface Serving extends AsyncDisposable {
  /** The port that it listens on. */
  readonly port: number;
  /** Ends it as nobody can hear it coming. */
  kill(): Promise<void>;
}

/** Runs `varve serve ARGS` on a port of this machine's own, any that is free where none is given. */
export async function serving(args: readonly string[], { port = 0, store = '' } = {}): Promise<Serving> {
  const child = spawn(varveProgram, ['serve', ...args, '--listen', String(port)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, VARVE_STORE: store },
  });
  const stop = async (signal: NodeJS.Signals): Promise<void> => {
    await endProcess(child, signal);
  };
  return {
    port: await portOf(child),
    kill: () => stop('SIGKILL'),
    [Symbol.asyncDispose]: () => stop('SIGTERM'),
  };
}

async function portOf(child: ChildProcess): Promise<number> {
  if (child.stdout === null) throw new TypeError('its output is not read');
  for await (const line of createInterface({ input: child.stdout })) {
    const [, port] = /^serving nbds?:\/\/127\.0\.0\.1:(\d+)\//.exec(line) ?? [];
    if (port !== undefined) return Number(port);
  }
  throw new Error('varve serve has ended');
}
