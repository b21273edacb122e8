import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { BlockDevice, Extent, MaybePromise } from '../block/block-device.ts';
import type { DeviceOperation } from './device-operation.ts';
import { ForwardingDevice } from './forwarding-device.ts';
import { seededRandom } from './seeded-random.ts';

/** How slow `delayFilter` is. */
export interface DelayOptions {
  /**
   * How long each request waits before it is made, in milliseconds: one number for all, or one for each kind, where
   * a kind left out does not wait at all. 0, which is what nothing means, waits for a turn of the event loop.
   */
  readonly delayMs?: number | Readonly<Partial<Record<DeviceOperation, number>>>;
  /** Up to so many milliseconds more, at random; requests overtake each other then. */
  readonly jitterMs?: number;
  /** Makes the jitter the same every time. */
  readonly seed?: number;
}

/**
 * A device like a disk far away: every request that waits is asynchronous, and many of them wait at the same time.
 *
 * @throws RangeError for a delay that is negative or no number
 */
export function delayFilter(device: BlockDevice, options: DelayOptions = {}): BlockDevice {
  const { delayMs = 0, jitterMs = 0 } = options;
  for (const delay of [jitterMs, ...(typeof delayMs === 'number' ? [delayMs] : Object.values(delayMs))]) {
    if (!(delay >= 0)) throw new RangeError(`a delay of ${delay} ms`);
  }
  return new DelayDevice(device, options);
}

class DelayDevice extends ForwardingDevice {
  readonly #delayMs: number | Readonly<Partial<Record<DeviceOperation, number>>>;
  readonly #jitterMs: number;
  readonly #random: () => number;

  constructor(device: BlockDevice, { delayMs = 0, jitterMs = 0, seed = 0 }: DelayOptions) {
    super(device);
    this.#delayMs = delayMs;
    this.#jitterMs = jitterMs;
    this.#random = seededRandom(seed);
  }

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    const waiting = this.#wait('read');
    return waiting === undefined ? super.read(target, offset) : waiting.then(() => super.read(target, offset));
  }

  override write(source: Uint8Array, offset: number): MaybePromise<void> {
    const waiting = this.#wait('write');
    return waiting === undefined ? super.write(source, offset) : waiting.then(() => super.write(source, offset));
  }

  override zero(offset: number, length: number): MaybePromise<void> {
    const waiting = this.#wait('zero');
    return waiting === undefined ? super.zero(offset, length) : waiting.then(() => super.zero(offset, length));
  }

  override trim(offset: number, length: number): MaybePromise<void> {
    const waiting = this.#wait('trim');
    return waiting === undefined ? super.trim(offset, length) : waiting.then(() => super.trim(offset, length));
  }

  override flush(): MaybePromise<void> {
    const waiting = this.#wait('flush');
    return waiting === undefined ? super.flush() : waiting.then(() => super.flush());
  }

  override extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    const waiting = this.#wait('extents');
    return waiting === undefined ? super.extents(offset, length) : this.#extentsAfter(waiting, offset, length);
  }

  async *#extentsAfter(waiting: Promise<void>, offset: number, length: number): AsyncGenerator<Extent, undefined> {
    await waiting;
    yield* this.device.extents(offset, length);
  }

  #wait(operation: DeviceOperation): Promise<void> | undefined {
    const delayMs = typeof this.#delayMs === 'number' ? this.#delayMs : this.#delayMs[operation];
    if (delayMs === undefined) return undefined;
    const totalMs = delayMs + this.#jitterMs * this.#random();
    return totalMs === 0 ? turn() : sleep(totalMs);
  }
}
