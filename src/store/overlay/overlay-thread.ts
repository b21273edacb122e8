import type { Worker } from 'node:worker_threads';
import { VarveError } from '../../base/varve-error.ts';
import type { StackOwner } from './edit-overlays.ts';
import {
  type OverlayAnswers,
  type OverlayReply,
  type OverlayRequest,
  startOverlayWorker,
  type ThreadFailure,
} from './overlay-worker.ts';

function errorOf({ code, message }: ThreadFailure): Error {
  return code === undefined ? new Error(message) : new VarveError(code, message);
}

/**
 * Changes a stack of overlays in the catalog, and stores its snapshots, in threads of their own: a commit waits for the
 * disk, and storing takes a processor, while the requests of a guest must go on. What somebody waits for does not wait for
 * what is being stored: that has a thread for itself, which is nicer to others.
 */
export class OverlayThread implements AsyncDisposable {
  readonly #catalog: AskedWorker;
  readonly #storing: AskedWorker;

  /** A thread starts with the first request. */
  constructor(storePath: string, { image, owner }: StackOwner) {
    this.#catalog = new AskedWorker(() => startOverlayWorker({ storePath, image, owner, isBackground: false }));
    this.#storing = new AskedWorker(() => startOverlayWorker({ storePath, image, owner, isBackground: true }));
  }

  /** Asks a thread to do something. @throws what doing it throws */
  async ask<Kind extends OverlayRequest['kind']>(
    request: OverlayRequest & { readonly kind: Kind },
  ): Promise<OverlayAnswers[Kind]> {
    const worker = request.kind === 'store' ? this.#storing : this.#catalog;
    return (await worker.ask(request)) as OverlayAnswers[Kind];
  }

  /** Waits for what they were asked. */
  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    stack.use(this.#catalog);
    stack.use(this.#storing);
  }
}

/** A thread that starts when it is asked something. */
class AskedWorker implements AsyncDisposable {
  readonly #start: () => Worker;
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  #worker: Worker | undefined;
  #count = 0;

  constructor(start: () => Worker) {
    this.#start = start;
  }

  async ask(request: OverlayRequest): Promise<unknown> {
    const worker = this.#running();
    this.#count += 1;
    const answer = Promise.withResolvers<unknown>();
    this.#waiting.set(this.#count, answer);
    worker.ref();
    worker.postMessage({ id: this.#count, request });
    return await answer.promise;
  }

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
    worker.on('message', (reply: OverlayReply) => this.#take(reply));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new VarveError('IO', 'the thread that keeps overlays ended early')));
    // Whoever waits keeps the process alive, and nobody else.
    worker.unref();
    return worker;
  }

  #take(reply: OverlayReply): void {
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
