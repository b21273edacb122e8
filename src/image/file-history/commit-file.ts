import {
  type BlockDevice,
  type DeviceSupport,
  type Extent,
  isResizable,
  type MaybePromise,
  type ResizableDevice,
} from '../../block/block-device.ts';

/**
 * The file of an image that is committed to while others read it. Space is not given back: they may still read there. Nor
 * does the file ever get shorter, which would take its end away from those who looked for it before.
 */
export class CommitFile implements ResizableDevice {
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #file: BlockDevice;

  /** Disposing disposes of `file`. */
  constructor(file: BlockDevice) {
    this.blockSize = file.blockSize;
    this.supports = { ...file.supports, trim: false };
    this.#file = file;
  }

  get size(): number {
    return this.#file.size;
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#file.read(target, offset);
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.#file.write(source, offset);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    return this.#file.zero(offset, length);
  }

  trim(): void {}

  flush(): MaybePromise<void> {
    return this.#file.flush();
  }

  async resize(size: number): Promise<void> {
    if (isResizable(this.#file)) await this.#file.resize(size);
  }

  extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    return this.#file.extents(offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}
