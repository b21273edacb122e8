import { setImmediate } from 'node:timers/promises';
import { FuseChannel } from './fuse-channel.ts';
import { fuseErrno, isUnexplained } from './fuse-errno.ts';
import type { FuseOperations } from './fuse-operations.ts';
import { encodeReplyHeader, replyHeaderLength } from './reply-codec.ts';
import { decodeRequestHeader, type RequestHeader } from './request-codec.ts';
import { handleRequest, noReply } from './request-handler.ts';
import { type RequestSlot, RequestSlots } from './request-slot.ts';

/** More requests than this that are not answered yet are left with the kernel. */
const maximumPending = 32;
/** For so long the next request is waited for in this thread, which answers a program that asks again and again soonest. */
const briefWaitMs = 1;
/** The event loop has its turn at least this often. */
const turnMs = 5;

/** How requests are served. */
export interface FuseSessionOptions {
  /** An open /dev/fuse (`O_NONBLOCK`) that is mounted; it stays the caller's. */
  readonly fd: number;
  readonly operations: FuseOperations;
  /** Is told of failures that programs only know as EIO. */
  readonly onError: (error: unknown) => void;
}

/**
 * Answers the kernel until the file system is mounted no more, or nobody can reach it. Operations that finish at once
 * are answered at once, in the order of the requests; others when they are done, while further ones are served.
 *
 * The thread that calls this must not itself use the file system: it would wait for itself.
 *
 * @throws VarveError `IO` where /dev/fuse fails
 */
export async function serveFuse(options: FuseSessionOptions): Promise<void> {
  await new FuseSession(options).serve();
}

class FuseSession {
  readonly #channel: FuseChannel;
  readonly #operations: FuseOperations;
  readonly #onError: (error: unknown) => void;
  readonly #slots: RequestSlots;
  readonly #pending = new Set<Promise<void>>();

  constructor({ fd, onError, operations }: FuseSessionOptions) {
    this.#channel = new FuseChannel(fd);
    this.#operations = operations;
    this.#onError = onError;
    this.#slots = new RequestSlots(maximumPending, operations.writing !== undefined);
  }

  async serve(): Promise<void> {
    try {
      await this.#serveAll();
    } finally {
      await Promise.all(this.#pending);
    }
  }

  async #serveAll(): Promise<void> {
    let turn = performance.now();
    for (;;) {
      const taken = this.#slots.take();
      const slot = taken instanceof Promise ? await taken : taken;
      const length = this.#channel.receive(slot.input);
      if (length === undefined) return;
      if (length > 0) this.#handle(slot, length);
      else this.#slots.giveBack(slot);
      if (performance.now() - turn > turnMs) {
        await setImmediate();
        turn = performance.now();
      }
      if (length === 0 && !(await this.#comesSoon())) await this.#channel.wait();
    }
  }

  /** Waits for a moment, where no answer is under way for which the event loop is needed. */
  async #comesSoon(): Promise<boolean> {
    // All that only waits for promises that are settled is done when the next tick comes.
    if (this.#pending.size > 0) await nextTick();
    return this.#pending.size === 0 && this.#channel.waitBriefly(briefWaitMs);
  }

  #handle(slot: RequestSlot, length: number): void {
    const input = slot.input.subarray(0, length);
    const header = decodeRequestHeader(input);
    try {
      const done = handleRequest(this.#operations, header, { input, output: slot.output });
      if (typeof done === 'number') this.#finish(slot, header, done);
      else this.#finishLater(slot, header, done);
    } catch (error) {
      this.#fail(slot, header, error);
    }
  }

  #finishLater(slot: RequestSlot, header: RequestHeader, done: Promise<number>): void {
    const finished = done
      .then(
        (length) => this.#finish(slot, header, length),
        (error) => this.#fail(slot, header, error),
      )
      .finally(() => this.#pending.delete(finished));
    this.#pending.add(finished);
  }

  #finish(slot: RequestSlot, header: RequestHeader, bodyLength: number): void {
    if (bodyLength !== noReply) this.#send(slot, header, replyHeaderLength + bodyLength, 0);
    this.#slots.giveBack(slot);
  }

  #fail(slot: RequestSlot, header: RequestHeader, error: unknown): void {
    if (isUnexplained(error)) this.#onError(error);
    this.#send(slot, header, replyHeaderLength, fuseErrno(error));
    this.#slots.giveBack(slot);
  }

  #send({ output }: RequestSlot, { unique }: RequestHeader, length: number, errno: number): void {
    encodeReplyHeader(output, length, unique, errno);
    this.#channel.send(output, length);
  }
}

function nextTick(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
