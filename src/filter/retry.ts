import { isVarveError } from '../base/varve-error.ts';
import type { BlockDevice, Extent, MaybePromise } from '../block/block-device.ts';
import { type Clock, systemClock } from './clock.ts';
import { ForwardingDevice } from './forwarding-device.ts';

/** How often and when `retryFilter` tries again. */
export interface RetryOptions {
  /** How often, after the first time; 5 where nothing is given. */
  readonly attempts?: number;
  /** Before it first tries again, in milliseconds; 1000 where nothing is given. */
  readonly delayMs?: number;
  /** What each further delay is as long as the one before it, times; 2 where nothing is given. */
  readonly factor?: number;
  /** No delay is longer, in milliseconds; a minute where nothing is given. */
  readonly maximumDelayMs?: number;
  readonly clock?: Clock;
}

/**
 * Makes requests again that failed with `IO`; every other failure would only come again. Opening anew what broke is
 * the wrapped device's matter. A flush is not made again: a system that could not write forgets what it had, and says
 * next time that all is well.
 */
export function retryFilter(device: BlockDevice, options: RetryOptions = {}): BlockDevice {
  return new RetryingDevice(device, options);
}

class RetryingDevice extends ForwardingDevice {
  readonly #attempts: number;
  readonly #delayMs: number;
  readonly #factor: number;
  readonly #maximumDelayMs: number;
  readonly #clock: Clock;

  constructor(device: BlockDevice, options: RetryOptions) {
    super(device);
    this.#attempts = options.attempts ?? 5;
    this.#delayMs = options.delayMs ?? 1000;
    this.#factor = options.factor ?? 2;
    this.#maximumDelayMs = options.maximumDelayMs ?? 60_000;
    this.#clock = options.clock ?? systemClock;
  }

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#try(() => this.device.read(target, offset));
  }

  override write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.#try(() => this.device.write(source, offset));
  }

  override zero(offset: number, length: number): MaybePromise<void> {
    return this.#try(() => this.device.zero(offset, length));
  }

  override trim(offset: number, length: number): MaybePromise<void> {
    return this.#try(() => this.device.trim(offset, length));
  }

  /** Goes on where the list broke off. */
  override async *extents(offset: number, length: number): AsyncGenerator<Extent, undefined> {
    const end = offset + length;
    let failureCount = 0;
    for (let position = offset; position < end; ) {
      try {
        for await (const extent of this.device.extents(position, end - position)) {
          yield extent;
          position = extent.offset + extent.length;
          failureCount = 0;
        }
        return;
      } catch (error) {
        await this.#waitAfter(error, failureCount);
        failureCount += 1;
      }
    }
  }

  #try(request: () => MaybePromise<void>): MaybePromise<void> {
    try {
      const pending = request();
      return pending?.catch((error) => this.#tryAgain(request, error));
    } catch (error) {
      return this.#tryAgain(request, error);
    }
  }

  async #tryAgain(request: () => MaybePromise<void>, first: unknown): Promise<void> {
    let failure = first;
    for (let failureCount = 0; ; failureCount += 1) {
      await this.#waitAfter(failure, failureCount);
      try {
        return await request();
      } catch (error) {
        failure = error;
      }
    }
  }

  /** Waits before the next attempt, or throws what there is no further one for. */
  async #waitAfter(error: unknown, failureCount: number): Promise<void> {
    if (!isVarveError(error, 'IO') || failureCount >= this.#attempts) throw error;
    await this.#clock.sleep(Math.min(this.#delayMs * this.#factor ** failureCount, this.#maximumDelayMs));
  }
}
