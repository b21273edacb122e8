import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from '../block/block-device.ts';
import type { FormatDevice, FormatInformation, WritableFormat } from './image-format.ts';
import { writeRaw } from './write-raw.ts';

/** No format at all: the file's bytes are the disk's. */
export const rawFormat: WritableFormat = {
  name: 'raw',
  extensions: ['raw', 'img'],
  probe: () => 1,
  open: async (file) => new RawDevice(file),
  write: writeRaw,
};

/** The file, and what its format tells of it. */
class RawDevice implements FormatDevice {
  readonly format = 'raw';
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #file: BlockDevice;

  constructor(file: BlockDevice) {
    this.#file = file;
    this.size = file.size;
    this.blockSize = file.blockSize;
    this.supports = file.supports;
  }

  information(): FormatInformation {
    return { format: 'raw', virtualSize: this.size, fileSize: this.size };
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

  trim(offset: number, length: number): MaybePromise<void> {
    return this.#file.trim(offset, length);
  }

  flush(): MaybePromise<void> {
    return this.#file.flush();
  }

  extents(offset: number, length: number): Iterable<Extent> | AsyncIterable<Extent> {
    return this.#file.extents(offset, length);
  }

  [Symbol.asyncDispose](): PromiseLike<void> {
    return this.#file[Symbol.asyncDispose]();
  }
}
