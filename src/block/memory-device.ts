import { isZero } from '../bytes/is-zero.ts';
import type { DeviceSupport, Extent, ResizableDevice } from './block-device.ts';

const pageSize = 2 ** 16;

/** How `memoryDevice` behaves. */
export interface MemoryDeviceOptions {
  readonly readOnly?: boolean;
  /** What it says its `blockSize` is, in bytes, a power of two; 4096 where nothing is given. */
  readonly blockSize?: number;
}

/** A device whose every request is done when it returns. */
export interface MemoryDevice extends ResizableDevice {
  read(target: Uint8Array, offset: number): void;
  write(source: Uint8Array, offset: number): void;
  zero(offset: number, length: number): void;
  trim(offset: number, length: number): void;
  flush(): void;
  extents(offset: number, length: number): Iterable<Extent>;
  resize(size: number): void;
}

/**
 * A disk in memory: of `content.length` bytes with a copy of `content`, or of `content` zero bytes. Pages of 64 KiB
 * take memory once they are written, so that a device of a terabyte is fine; what was never written, whole pages that
 * were zeroed or trimmed, and zero pages of `content` are holes.
 *
 * @throws RangeError for a size or block size that cannot be
 */
export function memoryDevice(content: number | Uint8Array, options: MemoryDeviceOptions = {}): MemoryDevice {
  const size = typeof content === 'number' ? content : content.length;
  if (!(Number.isSafeInteger(size) && size >= 0)) throw new RangeError(`a device of ${size} bytes`);
  const device = new PagedDevice(size, options);
  if (typeof content !== 'number') fill(device, content);
  return device;
}

function fill(device: MemoryDevice, content: Uint8Array): void {
  for (let offset = 0; offset < content.length; offset += pageSize) {
    const page = content.subarray(offset, offset + pageSize);
    if (!isZero(page)) device.write(page, offset);
  }
}

class PagedDevice implements MemoryDevice {
  size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #pages = new Map<number, Uint8Array>();

  constructor(size: number, { readOnly = false, blockSize = 4096 }: MemoryDeviceOptions) {
    if (!(Number.isInteger(Math.log2(blockSize)) && blockSize >= 1))
      throw new RangeError(`blocks of ${blockSize} bytes`);
    this.size = size;
    this.blockSize = blockSize;
    this.supports = { write: !readOnly, trim: !readOnly, zero: !readOnly, extents: true };
  }

  read(target: Uint8Array, offset: number): void {
    for (let done = 0; done < target.length; ) {
      const position = offset + done;
      const inPage = position % pageSize;
      const length = Math.min(pageSize - inPage, target.length - done);
      const page = this.#pages.get((position - inPage) / pageSize);
      if (page === undefined) target.fill(0, done, done + length);
      else target.set(page.subarray(inPage, inPage + length), done);
      done += length;
    }
  }

  write(source: Uint8Array, offset: number): void {
    for (let done = 0; done < source.length; ) {
      const position = offset + done;
      const inPage = position % pageSize;
      const length = Math.min(pageSize - inPage, source.length - done);
      this.#page((position - inPage) / pageSize).set(source.subarray(done, done + length), inPage);
      done += length;
    }
    this.size = Math.max(this.size, offset + source.length);
  }

  zero(offset: number, length: number): void {
    const end = offset + length;
    const first = Math.floor(offset / pageSize);
    const last = Math.ceil(end / pageSize);
    // A range may span far more pages than there are.
    const present = last - first > this.#pages.size ? [...this.#pages.keys()] : undefined;
    for (const index of present ?? range(first, last)) this.#zeroInPage(index, offset, end);
  }

  trim(offset: number, length: number): void {
    this.zero(offset, length);
  }

  flush(): void {}

  *extents(offset: number, length: number): Generator<Extent, undefined> {
    const end = offset + length;
    const sorted = [...this.#pages.keys()].filter((index) => index * pageSize < end && (index + 1) * pageSize > offset);
    let position = offset;
    for (const index of sorted.sort((a, b) => a - b)) {
      const start = Math.max(index * pageSize, offset);
      if (start > position) yield { offset: position, length: start - position, kind: 'hole' };
      position = Math.min((index + 1) * pageSize, end);
      yield { offset: start, length: position - start, kind: 'data' };
    }
    if (position < end) yield { offset: position, length: end - position, kind: 'hole' };
  }

  resize(size: number): void {
    if (size < this.size) this.zero(size, this.size - size);
    this.size = size;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#pages.clear();
  }

  #page(index: number): Uint8Array {
    const present = this.#pages.get(index);
    if (present !== undefined) return present;
    const page = new Uint8Array(pageSize);
    this.#pages.set(index, page);
    return page;
  }

  #zeroInPage(index: number, offset: number, end: number): void {
    const start = index * pageSize;
    const [from, to] = [Math.max(offset - start, 0), Math.min(end - start, pageSize)];
    if (from >= to) return;
    if (from === 0 && to === Math.min(pageSize, this.size - start)) this.#pages.delete(index);
    else this.#pages.get(index)?.fill(0, from, to);
  }
}

function* range(first: number, end: number): Generator<number, undefined> {
  for (let index = first; index < end; index += 1) yield index;
}
