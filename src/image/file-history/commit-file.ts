import {
  type BlockDevice,
  type DeviceSupport,
  type Extent,
  isResizable,
  type MaybePromise,
  type ResizableDevice,
} from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';

/**
 * The file of an image that is committed to while others read it. Space is not given back: they may still read there. And
 * the file gets as long as it may become before anything else happens: who opened it before and asks for its size but
 * once would miss what new tables lead to.
 */
export class CommitFile implements ResizableDevice {
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #file: BlockDevice;
  /** Where what is in use ends. */
  #end: number;

  /** Disposing disposes of `file`. */
  constructor(file: BlockDevice) {
    this.blockSize = file.blockSize;
    this.supports = { ...file.supports, trim: false };
    this.#file = file;
    this.#end = file.size;
  }

  get size(): number {
    return this.#file.size;
  }

  /** Makes the file longer by `length` bytes, where it can be. */
  async extend(length: number): Promise<void> {
    if (isResizable(this.#file)) await this.#file.resize(this.#file.size + length);
  }

  /** Makes the file end with the unit of `unitSize` bytes in which the last thing in it is. */
  async shrink(unitSize: number): Promise<void> {
    if (isResizable(this.#file)) await this.#file.resize(alignUp(this.#end, unitSize));
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#file.read(target, offset);
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    this.#end = Math.max(this.#end, offset + source.length);
    return this.#file.write(source, offset);
  }

  zero(offset: number, length: number): MaybePromise<void> {
    this.#end = Math.max(this.#end, offset + length);
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
