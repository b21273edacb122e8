import { closeSync, writeSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import type { Worker } from 'node:worker_threads';
import { isLinux } from '../../linux/libc.ts';
import { socketPair } from '../../linux/socket-pair.ts';
import type { TransferTerms } from '../../protocol/tftp/negotiate-options.ts';
import type { ServedFile } from '../files/file-source.ts';
import { isMemoryFile, type MemoryFile } from '../files/memory-file.ts';
import type { TransferEnd } from './transfer.ts';
import type { LoopAnswer, LoopRequest } from './transfer-loop.ts';
import { startTransfersWorker } from './transfers-worker.ts';

/** A transfer, as far as whoever began it has to do with it. */
export interface RunningTransfer {
  /** Whether the client has got something of it. */
  readonly hasProgress: boolean;
  /** Sends again, or gives up, where it is time to; `now` is in milliseconds, as of `performance.now()`. */
  expire(now: number): void;
  /** Ends it without a word: the client is at something else. */
  abandon(): void;
  /** Ends it, and tells the client why. */
  abort(reason: string): void;
  /** Frees what it holds. */
  close(): Promise<void>;
}

/** Longer files, in bytes, are sent without the thread, as it needs memory of its own for them. */
const longest = 2 ** 25;
/** More than there are ports to send from. */
const mostTransfers = 2 ** 16;

/** The thread that sends files of memory to IPv4 clients, on Linux. Disposing ends it. */
export class TransferThread implements AsyncDisposable {
  readonly #worker: Worker;
  /** The thread's end, and ours. */
  readonly #fds: readonly [number, number];
  readonly #progress = new Int32Array(new SharedArrayBuffer(4 * mostTransfers));
  readonly #isRung = new Int32Array(new SharedArrayBuffer(4));
  readonly #ends = new Map<number, (end: TransferEnd) => void>();
  /** What the thread reads, by what it is a copy of. */
  readonly #shared = new WeakMap<Uint8Array, SharedArrayBuffer>();
  #nextId = 0;
  #isClosed = false;

  private constructor(fds: readonly [number, number]) {
    this.#fds = fds;
    this.#worker = startTransfersWorker({ fd: fds[0], isRung: this.#isRung, progress: this.#progress });
    this.#worker.unref();
    this.#worker.on('message', ({ end, id }: LoopAnswer) => this.#ends.get(id)?.(end));
    this.#worker.on('error', (error) => this.#fail(error));
  }

  /** Starts it; undefined where there cannot be one. */
  static start(): TransferThread | undefined {
    if (!isLinux) return undefined;
    try {
      return new TransferThread(socketPair('send files'));
    } catch {
      // A machine on which koffi does not load has Node's sockets.
      return undefined;
    }
  }

  /** Whether it can send `file` from the address `local` to `address`. */
  canSend(file: ServedFile, local: string, address: string): file is MemoryFile {
    return !this.#isClosed && isMemoryFile(file) && file.size <= longest && isIPv4(local) && isIPv4(address);
  }

  /** Begins to send a file, which it disposes of at the end. @param end is called once */
  send(
    file: MemoryFile,
    terms: TransferTerms,
    way: Pick<LoopRequest & { kind: 'start' }, 'local' | 'remote'>,
    end: (end: TransferEnd) => void,
  ): RunningTransfer {
    const id = this.#nextId;
    this.#nextId += 1;
    const progress = this.#progress;
    const slot = id % mostTransfers;
    progress[slot] = 0;
    const finish = (reason: TransferEnd): void => {
      if (this.#ends.delete(id)) end(reason);
    };
    this.#ends.set(id, finish);
    this.#ask({ kind: 'start', id, content: this.#share(file.content), terms, ...way });
    const stop = (reason: string | undefined, why: string): void => {
      this.#ask({ kind: 'stop', id, reason });
      finish(why);
    };
    return {
      get hasProgress() {
        return progress[slot] === 1;
      },
      expire() {},
      abandon: () => stop(undefined, 'the client asked for another file'),
      abort: (reason) => stop(reason, reason),
      close: async () => await file[Symbol.asyncDispose](),
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    // What it was asked last is done first: each transfer told its client that it ends.
    const isIdle = new Promise<void>((resolve) => this.#worker.once('exit', () => resolve()));
    this.#worker.postMessage({ kind: 'quit' } satisfies LoopRequest);
    this.#ring();
    await isIdle;
    this.#closeDoorbell();
  }

  #closeDoorbell(): void {
    for (const fd of this.#fds) closeSync(fd);
  }

  #ask(request: LoopRequest): void {
    if (this.#isClosed) return;
    this.#worker.postMessage(request);
    this.#ring();
  }

  #ring(): void {
    if (Atomics.exchange(this.#isRung, 0, 1) === 0) writeSync(this.#fds[1], '!');
  }

  #share(content: Uint8Array): SharedArrayBuffer {
    const before = this.#shared.get(content);
    if (before !== undefined) return before;
    const shared = new SharedArrayBuffer(content.length);
    new Uint8Array(shared).set(content);
    this.#shared.set(content, shared);
    return shared;
  }

  #fail(error: Error): void {
    if (!this.#isClosed) this.#closeDoorbell();
    this.#isClosed = true;
    for (const end of [...this.#ends.values()]) end(`sending failed: ${error.message}`);
  }
}
