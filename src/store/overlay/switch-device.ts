import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../../block/block-device.ts';

/** A device that requests go to, and how many of them are not done. */
class Target {
  readonly device: BlockDevice;
  changeCount = 0;
  userCount = 0;
  /** Made when somebody waits for the last change, or the last user. */
  unchanging: PromiseWithResolvers<void> | undefined;
  unused: PromiseWithResolvers<void> | undefined;

  constructor(device: BlockDevice) {
    this.device = device;
  }

  begin(isChange: boolean): void {
    this.userCount += 1;
    if (isChange) this.changeCount += 1;
  }

  end(isChange: boolean): void {
    this.userCount -= 1;
    if (isChange) this.changeCount -= 1;
    if (this.changeCount === 0) this.unchanging?.resolve();
    if (this.userCount === 0) this.unused?.resolve();
  }
}

/** What became of a device that was replaced. */
export interface Replaced {
  /** Settles when no request uses it any more. */
  readonly released: Promise<void>;
}

/**
 * A device in front of another of the same size, which can be replaced while requests come. Changes that go to the old
 * one are done before any goes to the new one; reads need not be. Disposing leaves the device alone.
 */
export class SwitchDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  #target: Target;
  /** While the old device's last changes are waited for. */
  #switching: Promise<void> | undefined;

  constructor(device: BlockDevice) {
    this.size = device.size;
    this.blockSize = device.blockSize;
    this.supports = device.supports;
    this.#target = new Target(device);
  }

  /** Lets requests go to `device` from now on, or from when the last change to the old one is done. */
  async replace(device: BlockDevice): Promise<Replaced> {
    while (this.#switching !== undefined) await this.#switching;
    const old = this.#target;
    if (old.changeCount > 0) {
      old.unchanging = Promise.withResolvers();
      this.#switching = old.unchanging.promise;
      await this.#switching;
      this.#switching = undefined;
    }
    this.#target = new Target(device);
    if (old.userCount === 0) return { released: Promise.resolve() };
    old.unused = Promise.withResolvers();
    return { released: old.unused.promise };
  }

  /** Hot, as all requests: no promise where the device answers at once (bench/overlay.ts). */
  read(target: Uint8Array, offset: number): MaybePromise<void> {
    const { device } = this.#target;
    const reading = device.read(target, offset);
    if (reading !== undefined) return this.#track(reading, false);
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    if (this.#switching !== undefined) return this.#switching.then(() => this.write(source, offset));
    const writing = this.#target.device.write(source, offset);
    if (writing !== undefined) return this.#track(writing, true);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    if (this.#switching !== undefined) return this.#switching.then(() => this.zero(offset, length));
    const zeroing = this.#target.device.zero(offset, length);
    if (zeroing !== undefined) return this.#track(zeroing, true);
  }

  trim(offset: number, length: number): MaybePromise<void> {
    if (this.#switching !== undefined) return this.#switching.then(() => this.trim(offset, length));
    const trimming = this.#target.device.trim(offset, length);
    if (trimming !== undefined) return this.#track(trimming, true);
  }

  flush(): MaybePromise<void> {
    return this.#target.device.flush();
  }

  async *extents(offset: number, length: number): AsyncGenerator<Extent, undefined> {
    const target = this.#target;
    target.begin(false);
    try {
      yield* target.device.extents(offset, length);
    } finally {
      target.end(false);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #track(pending: Promise<void>, isChange: boolean): Promise<void> {
    const target = this.#target;
    target.begin(isChange);
    try {
      await pending;
    } finally {
      target.end(isChange);
    }
  }
}
