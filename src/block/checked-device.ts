import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, DeviceSupport, Extent, FileRange, MaybePromise } from './block-device.ts';

/** How `checkedDevice` behaves. */
export interface CheckedDeviceOptions {
  /** What errors call the device: `web@3`. */
  readonly label?: string;
}

/**
 * The one place where requests are checked, at the edge between those who use devices and those who make them.
 * Requests of length 0 are answered at once. Disposing disposes of the wrapped device.
 *
 * Every method throws `RangeError` for an offset or length that is no byte count, VarveError `OUT_OF_RANGE` for a
 * range that goes past the end, VarveError `READ_ONLY` for a change where `supports.write` is false, and `TypeError`
 * after the device was disposed of.
 */
export function checkedDevice(device: BlockDevice, options: CheckedDeviceOptions = {}): BlockDevice {
  return new CheckedDevice(device, options.label ?? 'the device');
}

/** Hot: everything a guest does passes here, so nothing is allocated; `bench/device.ts` watches it. */
class CheckedDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #device: BlockDevice;
  readonly #label: string;
  #disposed: Promise<void> | undefined;

  constructor(device: BlockDevice, label: string) {
    this.size = device.size;
    this.blockSize = device.blockSize;
    this.supports = device.supports;
    this.#device = device;
    this.#label = label;
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    const { length } = target;
    if (!this.#isInside(offset, length)) this.#refuse('read', offset, length);
    if (length === 0) return;
    return this.#device.read(target, offset);
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    const { length } = source;
    if (!(this.#isInside(offset, length) && this.supports.write)) this.#refuse('write', offset, length);
    if (length === 0) return;
    return this.#device.write(source, offset);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    if (!(this.#isInside(offset, length) && this.supports.write)) this.#refuse('write', offset, length);
    if (length === 0) return;
    return this.#device.zero(offset, length);
  }

  trim(offset: number, length: number): MaybePromise<void> {
    if (!(this.#isInside(offset, length) && this.supports.write)) this.#refuse('trim', offset, length);
    if (length === 0 || !this.supports.trim) return;
    return this.#device.trim(offset, length);
  }

  flush(): MaybePromise<void> {
    if (this.#disposed !== undefined) this.#refuseDisposed('flush');
    if (this.supports.write) return this.#device.flush();
  }

  extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    if (!this.#isInside(offset, length)) this.#refuse('read', offset, length);
    return length === 0 ? [] : this.#device.extents(offset, length);
  }

  fileRange(offset: number, length: number): FileRange | undefined {
    if (!this.#isInside(offset, length)) this.#refuse('read', offset, length);
    return this.#device.fileRange?.(offset, length);
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= Promise.resolve(this.#device[Symbol.asyncDispose]());
    return this.#disposed;
  }

  /** Written so that NaN and undefined fail, too. */
  #isInside(offset: number, length: number): boolean {
    return (
      offset >= 0 &&
      length >= 0 &&
      offset + length <= this.size &&
      Number.isInteger(offset) &&
      Number.isInteger(length) &&
      this.#disposed === undefined
    );
  }

  /** Finds out which check it was that failed. */
  #refuse(verb: string, offset: number, length: number): never {
    if (this.#disposed !== undefined) this.#refuseDisposed(verb);
    if (!(isByteCount(offset) && isByteCount(length))) {
      throw new RangeError(`cannot ${verb} ${this.#label}: ${length} bytes at offset ${offset} is no range`);
    }
    if (offset + length > this.size) {
      const range = `${length} bytes at offset ${offset}`;
      throw new VarveError('OUT_OF_RANGE', `cannot ${verb} ${this.#label}: ${range} go past its end at ${this.size}`);
    }
    throw new VarveError('READ_ONLY', `cannot ${verb} ${this.#label}: it is read-only`);
  }

  #refuseDisposed(verb: string): never {
    throw new TypeError(`cannot ${verb} ${this.#label}: it was closed before`);
  }
}

function isByteCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
