import { ftruncateSync } from 'node:fs';
import { systemError } from '../base/varve-error.ts';
import { writeFully } from '../block/positional-io.ts';
import type { ImageTarget } from './image-target.ts';

const zeros = new Uint8Array(2 ** 20);

/**
 * An empty regular file that is open for writing under the descriptor `fd`; `name` is its name in errors. Closing and
 * syncing it is up to the caller.
 */
export function fileTarget(fd: number, name: string): ImageTarget {
  return {
    seekable: true,
    zeroed: true,
    write: (source, offset) => writeFully(fd, source, offset, name),
    zero(offset, length) {
      for (let done = 0; done < length; done += zeros.length) {
        writeFully(fd, zeros.subarray(0, Math.min(zeros.length, length - done)), offset + done, name);
      }
    },
    finish(size) {
      try {
        ftruncateSync(fd, size);
      } catch (error) {
        throw systemError(`write ${name}`, error);
      }
    },
  };
}
