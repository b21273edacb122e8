import { open } from 'node:fs/promises';
import { systemError, VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';

/**
 * Opens a file or block device of `size` bytes to be read as a device that never blocks this thread: it may be this very process that answers for the
 * file. Everything counts as data.
 *
 * @throws VarveError by errno
 */
export async function openPatientFile(path: string, size: number): Promise<BlockDevice> {
  const doing = `read ${path}`;
  const handle = await open(path, 'r').catch((error) => {
    throw systemError(doing, error);
  });
  const refuse = (): never => {
    throw new VarveError('READ_ONLY', `cannot write ${path}: it is open to be read`);
  };
  return {
    ...{ size, blockSize: 4096, supports: { write: false, trim: false, zero: false, extents: false } },
    async read(target, offset) {
      for (let done = 0; done < target.length; ) {
        const { bytesRead } = await handle.read(target, done, target.length - done, offset + done);
        if (bytesRead === 0) throw new VarveError('IO', `cannot ${doing}: it ends too early`);
        done += bytesRead;
      }
    },
    ...{ write: refuse, zero: refuse, trim: refuse, flush() {} },
    extents: (offset, length) => [{ offset, length, kind: 'data' }],
    [Symbol.asyncDispose]: () => handle.close(),
  };
}
