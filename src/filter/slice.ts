import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, DeviceSupport, Extent, FileRange, MaybePromise } from '../block/block-device.ts';

/** What `sliceFilter` cuts out. */
export interface SliceOptions {
  /** Where the slice starts, in bytes of the wrapped device; 0 where nothing is given. */
  readonly offset?: number;
  /** In bytes; up to the end of the wrapped device where nothing is given. */
  readonly length?: number;
}

/**
 * A part of a device, as a device: a partition of a disk, a disk with a header before it.
 *
 * @throws RangeError for what is no byte count, VarveError `OUT_OF_RANGE` for a slice that is not inside the device
 */
export function sliceFilter(device: BlockDevice, options: SliceOptions): BlockDevice {
  const { offset = 0, length = Math.max(device.size - offset, 0) } = options;
  const isRange = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (!isRange) throw new RangeError(`a slice of ${length} bytes at offset ${offset}`);
  if (offset + length > device.size) {
    const slice = `${length} bytes at offset ${offset}`;
    throw new VarveError('OUT_OF_RANGE', `cannot use ${slice} of a disk: it ends at ${device.size}`);
  }
  return new SliceDevice(device, offset, length);
}

class SliceDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #device: BlockDevice;
  readonly #offset: number;

  constructor(device: BlockDevice, offset: number, length: number) {
    this.size = length;
    this.blockSize = commonBlockSize(device.blockSize, offset);
    this.supports = device.supports;
    this.#device = device;
    this.#offset = offset;
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#device.read(target, this.#offset + offset);
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.#device.write(source, this.#offset + offset);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    return this.#device.zero(this.#offset + offset, length);
  }

  trim(offset: number, length: number): MaybePromise<void> {
    return this.#device.trim(this.#offset + offset, length);
  }

  flush(): MaybePromise<void> {
    return this.#device.flush();
  }

  extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    const extents = this.#device.extents(this.#offset + offset, length);
    if (Symbol.iterator in extents) return moved(extents, this.#offset);
    return movedAsync(extents, this.#offset);
  }

  fileRange(offset: number, length: number): FileRange | undefined {
    return this.#device.fileRange?.(this.#offset + offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#device[Symbol.asyncDispose]();
  }
}

/** The largest block size at most `blockSize` whose blocks start where the slice starts. */
function commonBlockSize(blockSize: number, offset: number): number {
  let common = blockSize;
  while (offset % common !== 0) common /= 2;
  return common;
}

function* moved(extents: Iterable<Extent>, back: number): Generator<Extent, undefined> {
  for (const { offset, length, kind } of extents) yield { offset: offset - back, length, kind };
}

async function* movedAsync(extents: AsyncIterable<Extent>, back: number): AsyncGenerator<Extent, undefined> {
  for await (const { offset, length, kind } of extents) yield { offset: offset - back, length, kind };
}
