import type { BlockDevice, DeviceSupport, Extent, MaybePromise } from './block-device.ts';
import { runSteps, type Steps } from './run-steps.ts';

/** A device, and where in the whole it stands; start and end in bytes. */
interface Part {
  readonly device: BlockDevice;
  readonly start: number;
  readonly end: number;
}

/** Devices one behind the other as one: a disk that was cut into files. Disposing of it disposes of them. */
export function concatenatedDevice(devices: readonly BlockDevice[]): BlockDevice {
  return new ConcatenatedDevice(devices);
}

class ConcatenatedDevice implements BlockDevice {
  readonly size: number;
  readonly blockSize: number;
  readonly supports: DeviceSupport;
  readonly #parts: readonly Part[];

  constructor(devices: readonly BlockDevice[]) {
    let size = 0;
    this.#parts = devices.map((device) => {
      const start = size;
      size += device.size;
      return { device, start, end: size };
    });
    this.size = size;
    this.blockSize = commonBlockSize(this.#parts);
    const all = (support: keyof DeviceSupport): boolean => devices.every((each) => each.supports[support]);
    const extents = devices.some((each) => each.supports.extents);
    this.supports = { write: all('write'), trim: all('trim'), zero: all('zero'), extents };
  }

  read(target: Uint8Array, offset: number): MaybePromise<void> {
    return this.#forEach(offset, target.length, ({ device }, start, length, done) =>
      device.read(target.subarray(done, done + length), start),
    );
  }

  write(source: Uint8Array, offset: number): MaybePromise<void> {
    return this.#forEach(offset, source.length, ({ device }, start, length, done) =>
      device.write(source.subarray(done, done + length), start),
    );
  }

  zero(offset: number, length: number): MaybePromise<void> {
    return this.#forEach(offset, length, ({ device }, start, partLength) => device.zero(start, partLength));
  }

  trim(offset: number, length: number): MaybePromise<void> {
    return this.#forEach(offset, length, ({ device }, start, partLength) => device.trim(start, partLength));
  }

  flush(): MaybePromise<void> {
    return runSteps(this.#flushes());
  }

  async *extents(offset: number, length: number): AsyncGenerator<Extent, undefined> {
    for (const { device, start, end } of this.#parts) {
      const [first, stop] = [Math.max(offset, start), Math.min(offset + length, end)];
      if (first >= stop) continue;
      for await (const extent of device.extents(first - start, stop - first)) {
        yield { ...extent, offset: extent.offset + start };
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await using stack = new AsyncDisposableStack();
    for (const { device } of this.#parts) stack.use(device);
  }

  /** Does a request part by part: `start` is in the part, and `done` how much of the request is before it. */
  #forEach(
    offset: number,
    length: number,
    request: (part: Part, start: number, length: number, done: number) => MaybePromise<void>,
  ): MaybePromise<void> {
    const first = this.#partAt(offset);
    if (offset + length <= first.end) return request(first, offset - first.start, length, 0);
    return runSteps(this.#requests(offset, length, request));
  }

  *#requests(
    offset: number,
    length: number,
    request: (part: Part, start: number, length: number, done: number) => MaybePromise<void>,
  ): Steps {
    const end = offset + length;
    for (let position = offset; position < end; ) {
      const part = this.#partAt(position);
      const stop = Math.min(end, part.end);
      yield request(part, position - part.start, stop - position, position - offset);
      position = stop;
    }
  }

  *#flushes(): Steps {
    for (const { device } of this.#parts) yield device.flush();
  }

  /** By halving: there may be a thousand. A part of no bytes is never it. */
  #partAt(offset: number): Part {
    let [low, high] = [0, this.#parts.length - 1];
    while (low < high) {
      const middle = Math.floor((low + high) / 2);
      if (this.#parts[middle]!.end > offset) high = middle;
      else low = middle + 1;
    }
    return this.#parts[low]!;
  }
}

/** The largest whose blocks start where parts do. */
function commonBlockSize(parts: readonly Part[]): number {
  let common = Math.max(1, ...parts.map(({ device }) => device.blockSize));
  for (const { start } of parts) while (start % common !== 0) common /= 2;
  return common;
}
