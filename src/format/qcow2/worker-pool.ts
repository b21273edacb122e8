import type { Transferable, Worker } from 'node:worker_threads';

interface Job<Result> {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

interface Thread<Result> {
  readonly worker: Worker;
  /** What it was given, the oldest first. */
  readonly jobs: Job<Result>[];
}

/**
 * Threads that answer each message with one message, in order. They start with the first job, and keep the process
 * alive only while they have work. Node's own pool, in which `CompressPool` packs what goes into a store, has four threads
 * from the beginning, and not as many as the user gives an export.
 */
export class WorkerPool<Message, Result> implements AsyncDisposable {
  readonly #start: () => Worker;
  readonly #threadCount: number;
  #threads: Thread<Result>[] = [];

  /** `start` makes one of `threadCount` threads. */
  constructor(threadCount: number, start: () => Worker) {
    this.#threadCount = threadCount;
    this.#start = start;
  }

  /** How many messages are not answered yet. */
  get pendingCount(): number {
    return this.#threads.reduce((count, { jobs }) => count + jobs.length, 0);
  }

  /** Gives a message to the thread with the least to do; the buffers in `transfer` move to it. */
  run(message: Message, transfer: readonly Transferable[]): Promise<Result> {
    if (this.#threads.length === 0)
      this.#threads = Array.from({ length: this.#threadCount }, () => this.#startThread());
    const thread = this.#threads.reduce((least, other) => (other.jobs.length < least.jobs.length ? other : least));
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    if (thread.jobs.length === 0) thread.worker.ref();
    thread.jobs.push({ resolve, reject });
    thread.worker.postMessage(message, transfer);
    return promise;
  }

  /** Ends the threads; what they have not answered yet fails. */
  async [Symbol.asyncDispose](): Promise<void> {
    const threads = this.#threads.splice(0);
    // An answer that still comes would take back the reference by which the process waits for the thread's end.
    for (const { worker } of threads) worker.removeAllListeners('message');
    await Promise.all(threads.map(({ worker }) => worker.terminate()));
    for (const { jobs } of threads) rejectAll(jobs, new Error('the thread was ended'));
  }

  #startThread(): Thread<Result> {
    const worker = this.#start();
    const jobs: Job<Result>[] = [];
    worker.unref();
    worker.on('message', (result: Result) => {
      const job = jobs.shift();
      if (jobs.length === 0) worker.unref();
      job?.resolve(result);
    });
    worker.on('error', (error) => rejectAll(jobs, error));
    return { worker, jobs };
  }
}

function rejectAll<Result>(jobs: Job<Result>[], error: unknown): void {
  for (const job of jobs.splice(0)) job.reject(error);
}
