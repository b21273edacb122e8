import type { BlockDevice } from './block-device.ts';

/** The same device, for somebody who disposes of it though it is not theirs. */
export function undisposed(device: BlockDevice): BlockDevice {
  return {
    size: device.size,
    blockSize: device.blockSize,
    supports: device.supports,
    read: (target, offset) => device.read(target, offset),
    write: (source, offset) => device.write(source, offset),
    zero: (offset, length) => device.zero(offset, length),
    trim: (offset, length) => device.trim(offset, length),
    flush: () => device.flush(),
    extents: (offset, length) => device.extents(offset, length),
    async [Symbol.asyncDispose]() {},
  };
}
