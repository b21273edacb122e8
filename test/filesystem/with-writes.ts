import type { MemoryDevice } from '../../src/block/memory-device.ts';

/** A memory device on which something else is done with what is written. */
export function withWrites(device: MemoryDevice, write: MemoryDevice['write']): MemoryDevice {
  return {
    ...{ size: device.size, blockSize: device.blockSize, supports: device.supports, write },
    read: (target, offset) => device.read(target, offset),
    zero: (offset, length) => device.zero(offset, length),
    trim: (offset, length) => device.trim(offset, length),
    flush: () => device.flush(),
    extents: (offset, length) => device.extents(offset, length),
    resize: (size) => device.resize(size),
    [Symbol.asyncDispose]: () => device[Symbol.asyncDispose](),
  };
}
