import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';
import type { DeviceRange } from './file-system.ts';

/**
 * A device with some of its blocks replaced by what a journal has of them; to be read only. Disposing leaves the wrapped
 * device open.
 */
export function replayedDevice(
  device: BlockDevice,
  blocks: ReadonlyMap<number, Uint8Array>,
  blockSize: number,
): BlockDevice {
  return new ReplayedDevice(device, blocks, blockSize);
}

/** The ranges of a device whose bytes are others than beneath it; none of one that `replayedDevice` did not make. */
export function replayedRanges(device: BlockDevice): readonly DeviceRange[] {
  return device instanceof ReplayedDevice ? device.replaced() : [];
}

class ReplayedDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport = { write: false, trim: false, zero: false, extents: false };
  readonly #device: BlockDevice;
  readonly #blocks: ReadonlyMap<number, Uint8Array>;
  readonly #length: number;

  constructor(device: BlockDevice, blocks: ReadonlyMap<number, Uint8Array>, length: number) {
    this.#device = device;
    this.#blocks = blocks;
    this.#length = length;
    ({ size: this.size, blockSize: this.blockSize } = device);
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    const reading = this.#device.read(target, offset);
    if (reading !== undefined) return reading.then(() => this.#replace(target, offset));
    this.#replace(target, offset);
  }

  write(): never {
    throw new TypeError('a device under a journal is not written to');
  }

  zero(): never {
    return this.write();
  }

  trim(): void {}

  flush(): void {}

  extents(offset: number, length: number): Iterable<Extent> {
    return [{ offset, length, kind: 'data' }];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }

  replaced(): DeviceRange[] {
    return Array.from(this.#blocks.keys(), (block) => ({ offset: block * this.#length, length: this.#length }));
  }

  #replace(target: Uint8Array, offset: number): void {
    const length = this.#length;
    const end = offset + target.length;
    for (let block = Math.floor(offset / length); block * length < end; block++) {
      const bytes = this.#blocks.get(block);
      if (bytes === undefined) continue;
      const from = Math.max(offset, block * length);
      const to = Math.min(end, (block + 1) * length);
      target.set(bytes.subarray(from - block * length, to - block * length), from - offset);
    }
  }
}
