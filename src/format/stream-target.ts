import type { Writable } from 'node:stream';
import { systemError } from '../base/varve-error.ts';
import type { ImageTarget } from './image-target.ts';

const zeros = new Uint8Array(2 ** 20);

/**
 * A pipe, a socket, standard output: bytes in order. Ending the stream is up to the caller; `name` is its name in
 * errors. The stream's `error` events are taken care of from now on: they fail the write under way, or the next.
 */
export function streamTarget(stream: Writable, name: string): ImageTarget {
  let failure: unknown;
  stream.on('error', (error) => {
    failure ??= error;
  });
  /** Done when the stream has let go of the bytes, so that no more than one write is ever in memory. */
  const write = (source: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      stream.write(source, (error) => {
        if (error) reject(systemError(`write ${name}`, failure ?? error));
        else resolve();
      });
    });
  return {
    seekable: false,
    zeroed: false,
    write,
    async zero(_offset, length) {
      for (let done = 0; done < length; done += zeros.length) {
        await write(zeros.subarray(0, Math.min(zeros.length, length - done)));
      }
    },
    finish: () => undefined,
  };
}
