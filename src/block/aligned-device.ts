import { alignDown, alignUp } from '../bytes/align.ts';
import type { BlockDevice, DeviceSupport, Extent } from './block-device.ts';

/**
 * A device whose requests have to be whole blocks of `alignment` bytes, a power of two, as one that takes any: what is
 * written in part is read first. Disposing disposes of the device. The end of a device that ends inside a block is
 * asked for as it is.
 */
export function alignedDevice(device: BlockDevice, alignment: number): BlockDevice {
  return new AlignedDevice(device, alignment);
}

class AlignedDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #device: BlockDevice;
  readonly #alignment: number;
  readonly #turns = new Turns();

  constructor(device: BlockDevice, alignment: number) {
    this.size = device.size;
    this.blockSize = Math.max(device.blockSize, alignment);
    this.supports = device.supports;
    this.#device = device;
    this.#alignment = alignment;
  }

  async read(target: Uint8Array, offset: number): Promise<void> {
    const { end, start } = this.#blocksOf(offset, target.length);
    if (end - start === target.length) return await this.#device.read(target, start);
    const blocks = new Uint8Array(end - start);
    await this.#device.read(blocks, start);
    target.set(blocks.subarray(offset - start, offset - start + target.length));
  }

  async write(source: Uint8Array, offset: number): Promise<void> {
    const { end, start } = this.#blocksOf(offset, source.length);
    if (end - start === source.length) {
      return await this.#turns.together(async () => this.#device.write(source, offset));
    }
    await this.#turns.alone(() => this.#writeInto(source, offset));
  }

  async zero(offset: number, length: number): Promise<void> {
    const { end, innerEnd, innerStart, start } = this.#blocksOf(offset, length);
    if (end - start === length) return await this.#turns.together(async () => this.#device.zero(offset, length));
    await this.#turns.alone(async () => {
      if (innerEnd <= innerStart) return await this.#writeInto(new Uint8Array(length), offset);
      if (innerStart > offset) await this.#writeInto(new Uint8Array(innerStart - offset), offset);
      await this.#device.zero(innerStart, innerEnd - innerStart);
      const rest = offset + length - innerEnd;
      if (rest > 0) await this.#writeInto(new Uint8Array(rest), innerEnd);
    });
  }

  async trim(offset: number, length: number): Promise<void> {
    const { innerEnd, innerStart } = this.#blocksOf(offset, length);
    if (innerEnd <= innerStart) return;
    await this.#turns.together(async () => this.#device.trim(innerStart, innerEnd - innerStart));
  }

  async flush(): Promise<void> {
    await this.#device.flush();
  }

  async *extents(offset: number, length: number): AsyncGenerator<Extent, undefined> {
    const { end, start } = this.#blocksOf(offset, length);
    for await (const extent of this.#device.extents(start, end - start)) {
      const from = Math.max(extent.offset, offset);
      const to = Math.min(extent.offset + extent.length, offset + length);
      if (to > from) yield { offset: from, length: to - from, kind: extent.kind };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#device[Symbol.asyncDispose]();
  }

  /** Writes what is around `source` in its first and last block again. */
  async #writeInto(source: Uint8Array, offset: number): Promise<void> {
    const { end, start } = this.#blocksOf(offset, source.length);
    const blocks = new Uint8Array(end - start);
    const headEnd = Math.min(start + this.#alignment, end);
    const tailStart = alignDown(end - 1, this.#alignment);
    if (start < offset || end === headEnd) await this.#device.read(blocks.subarray(0, headEnd - start), start);
    if (end > offset + source.length && tailStart > start) {
      await this.#device.read(blocks.subarray(tailStart - start), tailStart);
    }
    blocks.set(source, offset - start);
    await this.#device.write(blocks, start);
  }

  /** The blocks that a range touches, and those that lie wholly in it. */
  #blocksOf(offset: number, length: number): Record<'start' | 'end' | 'innerStart' | 'innerEnd', number> {
    const rangeEnd = offset + length;
    return {
      start: alignDown(offset, this.#alignment),
      end: Math.min(alignUp(rangeEnd, this.#alignment), this.size),
      innerStart: alignUp(offset, this.#alignment),
      innerEnd: rangeEnd === this.size ? rangeEnd : alignDown(rangeEnd, this.#alignment),
    };
  }
}

/** Lets any number go together, or one alone, in the order in which they come. */
class Turns {
  /** Settles when the last one that goes alone is done. */
  #alone: Promise<void> = Promise.resolve();
  readonly #together = new Set<Promise<void>>();

  async together(work: () => Promise<void>): Promise<void> {
    await this.#alone;
    const working = work();
    this.#together.add(working);
    try {
      await working;
    } finally {
      this.#together.delete(working);
    }
  }

  async alone(work: () => Promise<void>): Promise<void> {
    const before = this.#alone;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#alone = promise;
    await before;
    await Promise.allSettled([...this.#together]);
    try {
      await work();
    } finally {
      resolve();
    }
  }
}
