import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';

/** Hands every request on as it is: what a filter that changes only some of them extends. */
export class ForwardingDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  protected readonly device: BlockDevice;

  /** Disposing disposes of `device`; `supports` says what is different. */
  constructor(device: BlockDevice, supports: Partial<DeviceSupport> = {}) {
    this.size = device.size;
    this.blockSize = device.blockSize;
    this.supports = { ...device.supports, ...supports };
    this.device = device;
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.device.read(target, offset);
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.device.write(source, offset);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    return this.device.zero(offset, length);
  }

  trim(offset: number, length: number): MaybePromise<void> {
    return this.device.trim(offset, length);
  }

  flush(): MaybePromise<void> {
    return this.device.flush();
  }

  extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    return this.device.extents(offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.device[Symbol.asyncDispose]();
  }
}
