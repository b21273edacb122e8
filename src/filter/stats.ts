import type { BlockDevice, Extent, MaybePromise } from '../block/block-device.ts';
import type { DeviceOperation } from './device-operation.ts';
import { ForwardingDevice } from './forwarding-device.ts';
import { LatencyHistogram } from './latency-histogram.ts';

/** What was counted of one kind of request. */
export interface OperationStats {
  /** How many were made; those under way and failed ones included. */
  readonly count: number;
  /** How many failed. */
  readonly errorCount: number;
  /** The lengths of all of them together, in bytes. */
  readonly totalLength: number;
  /** How long those took that succeeded; nothing for `extents`, which is answered bit by bit. */
  readonly latencies: LatencyHistogram;
}

/** The counts of a `statsFilter`, which go on counting. */
export type DeviceStats = Readonly<Record<DeviceOperation, OperationStats>>;

/** A device that counts. */
export interface StatsDevice extends BlockDevice {
  readonly stats: DeviceStats;
}

/** Counts the requests to a device, their bytes and how long they take, by kind. */
export function statsFilter(device: BlockDevice): StatsDevice {
  return new CountingDevice(device);
}

class Counter implements OperationStats {
  count = 0;
  errorCount = 0;
  totalLength = 0;
  readonly latencies = new LatencyHistogram();

  /** Counts a request that starts now, and says when that is, in ms. */
  start(length: number): number {
    this.count += 1;
    this.totalLength += length;
    return performance.now();
  }

  succeed(startMs: number): void {
    this.latencies.add((performance.now() - startMs) * 1000);
  }

  fail(error: unknown): never {
    this.errorCount += 1;
    throw error;
  }

  async follow(pending: Promise<void>, startMs: number): Promise<void> {
    try {
      await pending;
    } catch (error) {
      this.fail(error);
    }
    this.succeed(startMs);
  }
}

/** Hot: `bench/device.ts` watches it. The four alike bodies are what keeps closures out of them. */
class CountingDevice extends ForwardingDevice implements StatsDevice {
  readonly stats = {
    read: new Counter(),
    write: new Counter(),
    zero: new Counter(),
    trim: new Counter(),
    flush: new Counter(),
    extents: new Counter(),
  };

  override read(target: Uint8Array, offset: number): MaybePromise<void> {
    const counter = this.stats.read;
    const startMs = counter.start(target.length);
    try {
      const pending = this.device.read(target, offset);
      if (pending !== undefined) return counter.follow(pending, startMs);
    } catch (error) {
      counter.fail(error);
    }
    counter.succeed(startMs);
  }

  override write(source: Uint8Array, offset: number): MaybePromise<void> {
    const counter = this.stats.write;
    const startMs = counter.start(source.length);
    try {
      const pending = this.device.write(source, offset);
      if (pending !== undefined) return counter.follow(pending, startMs);
    } catch (error) {
      counter.fail(error);
    }
    counter.succeed(startMs);
  }

  override zero(offset: number, length: number): MaybePromise<void> {
    const counter = this.stats.zero;
    const startMs = counter.start(length);
    try {
      const pending = this.device.zero(offset, length);
      if (pending !== undefined) return counter.follow(pending, startMs);
    } catch (error) {
      counter.fail(error);
    }
    counter.succeed(startMs);
  }

  override trim(offset: number, length: number): MaybePromise<void> {
    const counter = this.stats.trim;
    const startMs = counter.start(length);
    try {
      const pending = this.device.trim(offset, length);
      if (pending !== undefined) return counter.follow(pending, startMs);
    } catch (error) {
      counter.fail(error);
    }
    counter.succeed(startMs);
  }

  override flush(): MaybePromise<void> {
    const counter = this.stats.flush;
    const startMs = counter.start(0);
    try {
      const pending = this.device.flush();
      if (pending !== undefined) return counter.follow(pending, startMs);
    } catch (error) {
      counter.fail(error);
    }
    counter.succeed(startMs);
  }

  override extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    this.stats.extents.start(length);
    return this.device.extents(offset, length);
  }
}
