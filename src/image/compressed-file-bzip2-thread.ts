import { MessageChannel, type MessagePort } from 'node:worker_threads';
import { type Bzip2Request, startBzip2Worker } from './bzip2-worker.ts';
import { CompressedFileError } from './compressed-file-error.ts';

/** A block takes a tenth of a second. What takes longer than this is given up: nobody says that the library always ends. */
const defaultPatienceMs = 30_000;

/**
 * The thread that unpacks bzip2, because its library works on a whole stream in one go. It asks for input and hands out
 * what it has unpacked, one request at a time, and waits for the reply to each.
 */
export class Bzip2Thread implements AsyncDisposable {
  readonly #patienceMs: number;
  readonly #turn = new Int32Array(new SharedArrayBuffer(4));
  readonly #port: MessagePort;
  readonly #worker: ReturnType<typeof startBzip2Worker>;
  readonly #requests: Bzip2Request[] = [];
  #waiting: PromiseWithResolvers<Bzip2Request> | undefined;
  #failure: unknown;

  /** `patienceMs` is how long it may take from one request to the next. */
  constructor(patienceMs = defaultPatienceMs) {
    this.#patienceMs = patienceMs;
    const { port1, port2 } = new MessageChannel();
    this.#port = port1;
    this.#worker = startBzip2Worker(this.#turn, port2);
    this.#worker.on('message', (request: Bzip2Request) => {
      if (this.#waiting === undefined) this.#requests.push(request);
      else this.#waiting.resolve(request);
      this.#waiting = undefined;
    });
    this.#worker.on('error', (error) => {
      this.#failure = error;
      this.#waiting?.reject(error);
    });
  }

  /** What it wants next. */
  async request(): Promise<Bzip2Request> {
    if (this.#failure !== undefined) throw this.#failure;
    const there = this.#requests.shift();
    if (there !== undefined) return there;
    this.#waiting = Promise.withResolvers();
    const timer = setTimeout(() => {
      this.#waiting?.reject(new CompressedFileError('damaged', 'a block of it does not end'));
    }, this.#patienceMs);
    try {
      return await this.#waiting.promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Gives it the next bytes of the file, undefined at its end; or says that it may go on. */
  reply(bytes: Uint8Array | undefined): void {
    this.#port.postMessage(bytes);
    Atomics.add(this.#turn, 0, 1);
    Atomics.notify(this.#turn, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#port.close();
    await this.#worker.terminate();
  }
}
