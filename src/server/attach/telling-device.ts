import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { isUnexplained } from '../../linux/fuse/fuse-errno.ts';

/** The same device, which tells of what fails when whoever asked is told no more than EIO. Closing it is the caller's. */
export function tellingDevice(device: BlockDevice, tell: (error: unknown) => void): BlockDevice {
  const failed = (error: unknown): never => {
    if (isUnexplained(error)) tell(error);
    throw error;
  };
  const watched = (call: () => MaybePromise<void>): MaybePromise<void> => {
    try {
      return call()?.catch(failed);
    } catch (error) {
      failed(error);
    }
  };
  const { blockSize, size, supports } = device;
  return {
    ...{ blockSize, size, supports },
    read: (target, offset) => watched(() => device.read(target, offset)),
    write: (source, offset) => watched(() => device.write(source, offset)),
    zero: (offset, length) => watched(() => device.zero(offset, length)),
    trim: (offset, length) => watched(() => device.trim(offset, length)),
    flush: () => watched(() => device.flush()),
    extents: (offset, length) => device.extents(offset, length),
    fileRange: (offset, length) => device.fileRange?.(offset, length),
    async [Symbol.asyncDispose]() {},
  };
}
