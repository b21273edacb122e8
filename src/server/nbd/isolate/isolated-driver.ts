import { setTimeout as sleep } from 'node:timers/promises';
import { isVarveError, VarveError } from '../../../base/varve-error.ts';
import type { ClientRequest, NbdClient } from '../../../block/nbd/nbd-client.ts';
import { log } from '../../../log/log.ts';
import { commands } from '../../../protocol/nbd/constants.ts';
import type { DriverProcess } from './driver-process.ts';

type Reply = NonNullable<Parameters<NbdClient['request']>[1]>;

const shortestWaitMs = 50;
const longestWaitMs = 10_000;
const lockAttempts = 40;
/** A driver that has lived so long is not taken for one that dies again and again. */
const stableMs = 30_000;

/**
 * A driver that is started again when it dies, at a bounded rate. What was under way then fails; what comes later waits
 * for the next one. Counts the times that something acknowledged, and not flushed, died with it.
 */
export class IsolatedDriver implements AsyncDisposable {
  readonly #start: () => Promise<DriverProcess>;
  readonly #label: string;
  readonly #size: number;
  #current: Promise<DriverProcess>;
  #failureCount = 0;
  #startedAt = Date.now();
  #isClosed = false;
  /** Requests that changed the disk and were acknowledged, and how many of those a flush has covered. */
  #changeCount = 0;
  #flushedCount = 0;
  #lossCount = 0;

  constructor(first: DriverProcess, start: () => Promise<DriverProcess>, label: string) {
    this.#start = start;
    this.#label = label;
    this.#size = first.client.agreement.size;
    this.#current = Promise.resolve(first);
    this.#watch(first);
  }

  /** How often what had been acknowledged may have been lost. */
  get lossCount(): number {
    return this.#lossCount;
  }

  /** @throws VarveError what the driver says; `IO` where it died, or cannot be started */
  async request(request: ClientRequest, replyFor?: (driver: DriverProcess) => Reply): Promise<void> {
    const driver = await this.#running();
    const { command } = request;
    const covered = this.#changeCount;
    try {
      await driver.client.request(request, replyFor?.(driver));
    } catch (error) {
      if (driver.client.isOpen) throw error;
      throw new VarveError('IO', `the driver of ${this.#label} died; it is started again`, { cause: error });
    }
    if (command === commands.FLUSH) this.#flushedCount = Math.max(this.#flushedCount, covered);
    else if (isChange(command)) this.#changeCount += 1;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    const driver = await this.#current.catch(() => undefined);
    await driver?.[Symbol.asyncDispose]();
  }

  /** One that can be talked to; whoever finds that it cannot sees to its end. */
  async #running(): Promise<DriverProcess> {
    for (;;) {
      const driver = await this.#current;
      if (driver.client.isOpen || this.#isClosed) return driver;
      await driver[Symbol.asyncDispose]();
    }
  }

  #watch(driver: DriverProcess): void {
    void driver.ended.then((how) => {
      if (this.#isClosed) return;
      if (this.#flushedCount < this.#changeCount) this.#lossCount += 1;
      this.#flushedCount = this.#changeCount;
      log(1, 'the driver of %s died (%s) and is started again', this.#label, how);
      this.#startAgain();
    });
  }

  #startAgain(): void {
    this.#failureCount = Date.now() - this.#startedAt > stableMs ? 0 : this.#failureCount + 1;
    const waitMs = Math.min(shortestWaitMs * 2 ** this.#failureCount, longestWaitMs);
    this.#current = this.#startAfter(waitMs);
    // Whoever asks for something learns of it, until the next attempt begins.
    this.#current.catch((error: Error) => {
      log(1, 'the driver of %s did not start: %s', this.#label, error.message);
      if (!this.#isClosed) this.#startAgain();
    });
  }

  async #startAfter(waitMs: number): Promise<DriverProcess> {
    await sleep(waitMs, undefined, { ref: false });
    if (this.#isClosed) throw new VarveError('IO', `${this.#label} was closed`);
    this.#startedAt = Date.now();
    const driver = await this.#startUnlocked().catch((error: Error) => {
      throw new VarveError('IO', `the driver of ${this.#label} cannot be started again: ${error.message}`, {
        cause: error,
      });
    });
    const { size } = driver.client.agreement;
    if (size !== this.#size) {
      await driver[Symbol.asyncDispose]();
      throw new VarveError('IO', `${this.#label} has ${size} bytes now, and had ${this.#size}; serve it anew`);
    }
    this.#watch(driver);
    return driver;
  }

  /** On a busy machine the locks of one that was killed may outlast it for a moment. */
  async #startUnlocked(): Promise<DriverProcess> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#start();
      } catch (error) {
        if (!isVarveError(error, 'BUSY') || attempt === lockAttempts || this.#isClosed) throw error;
        await sleep(shortestWaitMs, undefined, { ref: false });
      }
    }
  }
}

function isChange(command: number): boolean {
  return command === commands.WRITE || command === commands.WRITE_ZEROES || command === commands.TRIM;
}
