import fs from 'node:fs';
import { systemError } from '../../base/varve-error.ts';

const pollMs = 5;

/**
 * Writes bytes, as they are, to a descriptor: standard output, where nothing is named. Pipes may be full, and readers gone,
 * which is their right: the process then ends with status 0.
 *
 * @throws VarveError `NO_SPACE`, `IO`
 */
export function writeBytes(bytes: Uint8Array, fd = 1): void {
  for (let done = 0; done < bytes.length; ) {
    try {
      done += fs.writeSync(fd, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, pollMs);
      else if (code === 'EPIPE') process.exit(0);
      else throw systemError('write to standard output', error);
    }
  }
}
