import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { BlockDevice, Extent, MaybePromise } from '../block/block-device.ts';
import type { DeviceOperation } from './device-operation.ts';
import { ForwardingDevice } from './forwarding-device.ts';
import { seededRandom } from './seeded-random.ts';

/** How slow `delayFilter` is. */
export interface DelayOptions {
  /**
   * How long each request takes longer, in milliseconds: one number for all, or one for each kind, where
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
 * A request is made half way through its delay, so that others may come between it and its answer.
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
    const totalMs = this.#delay('read');
    return totalMs === undefined ? super.read(target, offset) : this.#late(totalMs, () => super.read(target, offset));
  }

  override write(source: Uint8Array, offset: number): MaybePromise<void> {
    const totalMs = this.#delay('write');
    return totalMs === undefined ? super.write(source, offset) : this.#late(totalMs, () => super.write(source, offset));
  }

  override zero(offset: number, length: number): MaybePromise<void> {
    const totalMs = this.#delay('zero');
    return totalMs === undefined ? super.zero(offset, length) : this.#late(totalMs, () => super.zero(offset, length));
  }

  override trim(offset: number, length: number): MaybePromise<void> {
    const totalMs = this.#delay('trim');
    return totalMs === undefined ? super.trim(offset, length) : this.#late(totalMs, () => super.trim(offset, length));
  }

  override flush(): MaybePromise<void> {
    const totalMs = this.#delay('flush');
    return totalMs === undefined ? super.flush() : this.#late(totalMs, () => super.flush());
  }

  override extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    const totalMs = this.#delay('extents');
    return totalMs === undefined ? super.extents(offset, length) : this.#lateExtents(totalMs, offset, length);
  }

  async #late(totalMs: number, request: () => MaybePromise<void>): Promise<void> {
    await pause(totalMs / 2);
    await request();
    await pause(totalMs / 2);
  }

  async *#lateExtents(totalMs: number, offset: number, length: number): AsyncGenerator<Extent, undefined> {
    await pause(totalMs);
    yield* this.device.extents(offset, length);
  }

  #delay(operation: DeviceOperation): number | undefined {
    const delayMs = typeof this.#delayMs === 'number' ? this.#delayMs : this.#delayMs[operation];
    return delayMs === undefined ? undefined : delayMs + this.#jitterMs * this.#random();
  }
}

/** Timers know whole milliseconds only; less is waited for turn by turn. */
async function pause(milliseconds: number): Promise<void> {
  const end = performance.now() + milliseconds;
  if (milliseconds >= 1) return sleep(milliseconds);
  do await turn();
  while (performance.now() < end);
}
