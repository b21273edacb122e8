import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';
import { isZero } from '../bytes/is-zero.ts';

/**
 * A device of another size: the rest of a larger one does not show, and what a smaller one lacks reads as zeros. There
 * is no place for anything else there: writing it throws VarveError `NO_SPACE`. `size` is in bytes.
 *
 * @throws RangeError for what is no byte count
 */
export function truncateFilter(device: BlockDevice, size: number): BlockDevice {
  if (!(Number.isSafeInteger(size) && size >= 0)) throw new RangeError(`a device of ${size} bytes`);
  return new TruncatedDevice(device, size);
}

class TruncatedDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #device: BlockDevice;

  constructor(device: BlockDevice, size: number) {
    this.size = size;
    this.blockSize = device.blockSize;
    this.supports = { ...device.supports, extents: device.supports.extents || size > device.size };
    this.#device = device;
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    const length = this.#lengthInside(offset, target.length);
    if (length < target.length) target.fill(0, length);
    if (length > 0) return this.#device.read(target.subarray(0, length), offset);
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    const length = this.#lengthInside(offset, source.length);
    if (length < source.length && !isZero(source.subarray(length))) {
      const what = `there is nothing behind byte ${this.#device.size} but the zeros that a filter shows`;
      throw new VarveError('NO_SPACE', `cannot write the device: ${what}`);
    }
    if (length > 0) return this.#device.write(source.subarray(0, length), offset);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    const inside = this.#lengthInside(offset, length);
    if (inside > 0) return this.#device.zero(offset, inside);
  }

  trim(offset: number, length: number): MaybePromise<void> {
    const inside = this.#lengthInside(offset, length);
    if (inside > 0) return this.#device.trim(offset, inside);
  }

  flush(): MaybePromise<void> {
    return this.#device.flush();
  }

  extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    const inside = this.#lengthInside(offset, length);
    const hole: Extent = { offset: offset + inside, length: length - inside, kind: 'hole' };
    if (inside === 0) return [hole];
    const extents = this.#device.extents(offset, inside);
    if (inside === length) return extents;
    return Symbol.iterator in extents ? followedBy(extents, hole) : followedByLate(extents, hole);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#device[Symbol.asyncDispose]();
  }

  /** How much of a range the wrapped device has. */
  #lengthInside(offset: number, length: number): number {
    return Math.min(length, Math.max(this.#device.size - offset, 0));
  }
}

function* followedBy(extents: Iterable<Extent>, last: Extent): Generator<Extent, undefined> {
  yield* extents;
  yield last;
}

async function* followedByLate(extents: AsyncIterable<Extent>, last: Extent): AsyncGenerator<Extent, undefined> {
  yield* extents;
  yield last;
}
