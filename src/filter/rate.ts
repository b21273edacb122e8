import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import { type Clock, systemClock } from './clock.ts';
import { ForwardingDevice } from './forwarding-device.ts';

/** How fast `rateFilter` lets a device be, in bytes a second; each is for itself, and one that is left out is no limit. */
export interface RateOptions {
  /** Of reads and writes together. */
  readonly both?: number | undefined;
  readonly read?: number | undefined;
  readonly write?: number | undefined;
  /** So much goes through at once after a rest, as time at that rate, in milliseconds; 100 where nothing is given. */
  readonly burstMs?: number;
  readonly clock?: Clock;
}

/**
 * A device like one behind a slow line. What is read and written fills a bucket that runs dry at the rate; a request that
 * finds it full waits until there is room, in the order they came in. Zeroing, trimming and extents move no data, and
 * pass.
 *
 * @throws RangeError for a rate of less than a byte a second
 */
export function rateFilter(device: BlockDevice, options: RateOptions): BlockDevice {
  const { both, burstMs = 100, clock = systemClock, read, write } = options;
  const bucketFor = (rate: number | undefined): Bucket[] =>
    rate === undefined ? [] : [new Bucket(rate, burstMs, clock)];
  const shared = bucketFor(both);
  return new LimitedDevice(device, [...shared, ...bucketFor(read)], [...shared, ...bucketFor(write)], clock);
}

/** Keeps in mind until when the line is taken by what was let through; times in ms. */
class Bucket {
  readonly #msPerByte: number;
  readonly #burstMs: number;
  readonly #clock: Clock;
  #takenUntil = Number.NEGATIVE_INFINITY;

  constructor(rate: number, burstMs: number, clock: Clock) {
    if (!(rate >= 1)) throw new RangeError(`a rate of ${rate} bytes a second`);
    this.#msPerByte = 1000 / rate;
    this.#burstMs = burstMs;
    this.#clock = clock;
  }

  /** Takes the line for `length` bytes, and says how long it is until they may be on their way. */
  take(length: number): number {
    const now = this.#clock.now();
    this.#takenUntil = Math.max(this.#takenUntil, now) + length * this.#msPerByte;
    return Math.max(this.#takenUntil - now - this.#burstMs, 0);
  }
}

class LimitedDevice extends ForwardingDevice {
  readonly #readBuckets: readonly Bucket[];
  readonly #writeBuckets: readonly Bucket[];
  readonly #clock: Clock;

  constructor(device: BlockDevice, readBuckets: readonly Bucket[], writeBuckets: readonly Bucket[], clock: Clock) {
    super(device);
    this.#readBuckets = readBuckets;
    this.#writeBuckets = writeBuckets;
    this.#clock = clock;
  }

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    const waitMs = longestWait(this.#readBuckets, target.length);
    if (waitMs === 0) return this.device.read(target, offset);
    return this.#clock.sleep(waitMs).then(() => this.device.read(target, offset));
  }

  override write(source: Uint8Array, offset: number): MaybePromise<void> {
    const waitMs = longestWait(this.#writeBuckets, source.length);
    if (waitMs === 0) return this.device.write(source, offset);
    return this.#clock.sleep(waitMs).then(() => this.device.write(source, offset));
  }
}

function longestWait(buckets: readonly Bucket[], length: number): number {
  let longest = 0;
  for (const bucket of buckets) longest = Math.max(longest, bucket.take(length));
  return longest;
}
