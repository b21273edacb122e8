import { VarveError } from '../../../base/varve-error.ts';
import type { BlockDevice } from '../../../block/block-device.ts';

/** A disk that is no more: what comes late, from connections that are being ended, gets an error. */
export function endedDevice({ blockSize, size, supports }: BlockDevice, why: string): BlockDevice {
  const refuse = (): never => {
    throw new VarveError('IO', why);
  };
  return {
    ...{ size, blockSize, supports, read: refuse, write: refuse, zero: refuse, trim: refuse, flush: refuse },
    extents: refuse,
    async [Symbol.asyncDispose]() {},
  };
}
