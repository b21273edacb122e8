import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { endAndAwait } from '../process/end-process.ts';
import type { Operation, Report } from './operation.ts';

const program = fileURLToPath(new URL('worker.ts', import.meta.url));

/** What a worker had done when it died. */
export interface WorkerLog {
  /** The operations that came back, in order. */
  readonly done: readonly Operation[];
  /** When each of them had come back, by `process.hrtime`, in nanoseconds. */
  readonly doneNs: readonly number[];
  /** The one that it had begun, and that had not come back, or had failed. */
  readonly pending: Operation | undefined;
  /** How that one failed, or opening the store; being in the way of others is no failure. */
  readonly failed: string | undefined;
}

/** What a worker is to do. */
export interface CrashWorkerOptions {
  /** Where the store is. */
  readonly path: string;
  /** Gives the same operations for the same store. */
  readonly seed: number;
  readonly kind: 'anything' | 'collect' | 'together';
  /** A folder in which workers keep what Node makes of their source: the next one starts in a quarter of the time. */
  readonly compiled: string;
}

/** A process that waits to work on a store (`worker.ts`). */
export class CrashWorker implements Disposable {
  readonly #child: ChildProcess;
  readonly #output: Promise<string>;
  readonly #errors: Promise<string>;
  readonly #ready: Promise<unknown>;
  readonly #closed: Promise<unknown>;

  constructor({ path, seed, kind, compiled }: CrashWorkerOptions) {
    const env = { ...process.env, NODE_COMPILE_CACHE: compiled };
    this.#child = spawn(process.execPath, [program, path, String(seed), kind], { stdio: 'pipe', env });
    this.#ready = once(this.#child.stdout!, 'data');
    this.#output = text(this.#child.stdout!);
    this.#errors = text(this.#child.stderr!);
    this.#closed = once(this.#child, 'close');
    this.#child.stdin!.on('error', () => {});
  }

  /** Lets it begin, once it has loaded. */
  async start(): Promise<void> {
    await Promise.race([this.#ready, this.#closed]);
    this.#child.stdin!.write('!');
  }

  /** Ends it, when it is not dead yet. */
  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL');
  }

  /** Kills it, and says what it had done. @throws what it printed, when it had ended otherwise than by a failed operation */
  async kill(): Promise<WorkerLog> {
    await endAndAwait(this.#child, this.#closed);
    const errors = await this.#errors;
    if (errors !== '') throw new Error(`the worker failed: ${errors}`);
    return readLog(await this.#output);
  }
}

function readLog(output: string): WorkerLog {
  const lines = output.split('\n').slice(0, -1);
  const done: Operation[] = [];
  const doneNs: number[] = [];
  let pending: Operation | undefined;
  let failed: string | undefined;
  for (const line of lines.filter((each) => each !== 'ready')) {
    const report = JSON.parse(line) as Report;
    if ('begin' in report) {
      pending = report.begin;
    } else if ('failed' in report) {
      if (report.isHarmless) pending = undefined;
      else failed = `${report.failed}: ${report.message}`;
    } else {
      done.push(pending as Operation);
      doneNs.push(report.doneNs);
      pending = undefined;
    }
  }
  return { done, doneNs, pending, failed };
}
