import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from './block-device.ts';

/** More than anybody builds, and little enough for calls within calls. */
const deepest = 64;

/** A device made of others that can be read and nothing else. What it reads from stays the caller's. */
export abstract class ReadOnlyDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize = 4096;
  readonly supports: DeviceSupport;
  /** How many such devices a request goes through at most. */
  readonly #depth: number;

  /**
   * `size` is in bytes; `beneath` is what it reads from.
   *
   * @throws VarveError `CORRUPT` for a device that goes through too many others
   */
  constructor(size: number, beneath: readonly BlockDevice[], { extents }: Pick<DeviceSupport, 'extents'>) {
    this.#depth = 1 + Math.max(0, ...beneath.map((each) => (each instanceof ReadOnlyDevice ? each.#depth : 0)));
    if (this.#depth > deepest) {
      throw new VarveError('CORRUPT', `cannot read a volume that is more than ${deepest} deep in others`);
    }
    this.size = size;
    this.supports = { write: false, trim: false, zero: false, extents };
  }

  abstract read(target: Uint8Array, offset: number): MaybePromise<void>;

  abstract extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent>;

  write(): never {
    throw new VarveError('READ_ONLY', 'cannot write to a volume inside of a disk');
  }

  zero(): never {
    return this.write();
  }

  trim(): undefined {
    return undefined;
  }

  flush(): undefined {
    return undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
