import { setImmediate } from 'node:timers/promises';
import type { DeviceSupport, Extent, ResizableDevice } from '../block/block-device.ts';
import type { MemoryDevice } from '../block/memory-device.ts';

/** A file that can grow and answers every request a turn of the event loop later, to be given to what expects files. */
export function lateFile(file: MemoryDevice): ResizableDevice {
  return new LateFile(file);
}

class LateFile implements ResizableDevice {
  readonly #file: MemoryDevice;

  constructor(file: MemoryDevice) {
    this.#file = file;
  }

  get size(): number {
    return this.#file.size;
  }

  get blockSize(): number {
    return this.#file.blockSize;
  }

  get supports(): DeviceSupport {
    return this.#file.supports;
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    await setImmediate();
    this.#file.read(target, offset);
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    await setImmediate();
    this.#file.write(source, offset);
  }

  async zero(offset: number, length: number): Promise<void> {
    await setImmediate();
    this.#file.zero(offset, length);
  }

  async trim(offset: number, length: number): Promise<void> {
    await setImmediate();
    this.#file.trim(offset, length);
  }

  async flush(): Promise<void> {
    await setImmediate();
  }

  async resize(size: number): Promise<void> {
    await setImmediate();
    this.#file.resize(size);
  }

  extents(offset: number, length: number): Iterable<Extent> {
    return this.#file.extents(offset, length);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}
