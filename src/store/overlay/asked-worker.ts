import type { Worker } from 'node:worker_threads';
import { type ErrorCode, isVarveError, VarveError } from '../../base/varve-error.ts';

/** How a request failed; without a code where that is a mistake of ours. */
interface ThreadFailure {
  readonly code: ErrorCode | undefined;
  readonly message: string;
}

/** The answer to a request, by its number. */
export type ThreadReply =
  | { readonly id: number; readonly value: unknown }
  | { readonly id: number; readonly failure: ThreadFailure };

/** A request on its way. */
export interface NumberedRequest<Request> {
  readonly id: number;
  readonly request: Request;
}

/** What a thread answers: what `perform` gives, or how that failed. */
export async function replyTo(id: number, perform: () => unknown): Promise<ThreadReply> {
  try {
    return { id, value: await perform() };
  } catch (error) {
    const code = isVarveError(error) ? error.code : undefined;
    return { id, failure: { code, message: error instanceof Error ? error.message : String(error) } };
  }
}

function errorOf({ code, message }: ThreadFailure): Error {
  return code === undefined ? new Error(message) : new VarveError(code, message);
}

/** A thread that starts when it is asked something. */
export class AskedWorker implements AsyncDisposable {
  readonly #start: () => Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #worker: Worker | undefined;
  #count = 0;

  /** What `start` starts takes a `NumberedRequest` at a time, answers with a `ThreadReply`, and closes its port at 'end'. */
  constructor(start: () => Worker) {
    this.#start = start;
  }

  /** @throws what doing it throws */
  async ask(request: unknown): Promise<unknown> {
    const worker = this.#running();
    this.#count += 1;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(this.#count, answer);
    worker.ref();
    worker.postMessage({ id: this.#count, request });
    return await answer.promise;
  }

  /** Waits for what it was asked. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled([...this.#waiting.values()].map(({ promise }) => promise));
    const worker = this.#worker;
    if (worker === undefined) return;
    this.#worker = undefined;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    worker.ref();
    worker.postMessage('end');
    await ended;
  }

  #running(): Worker {
    if (this.#worker !== undefined) return this.#worker;
    const worker = this.#start();
    this.#worker = worker;
    worker.on('message', (reply: ThreadReply) => this.#take(reply));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new VarveError('IO', 'a thread that changes the store ended early')));
    // Whoever waits keeps the process alive, and nobody else.
    worker.unref();
    return worker;
  }

  #take(reply: ThreadReply): void {
    const answer = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if (this.#waiting.size === 0) this.#worker?.unref();
    if ('value' in reply) answer?.resolve(reply.value);
    else answer?.reject(errorOf(reply.failure));
  }

  #fail(error: unknown): void {
    this.#worker = undefined;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
