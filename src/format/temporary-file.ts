import { tmpdir } from 'node:os';
import { openNamelessFile } from '../block/nameless-file.ts';
import { readFully } from '../block/positional-io.ts';
import { throwIfAborted } from './disk-pieces.ts';
import { fileTarget } from './file-target.ts';
import type { ImageTarget } from './image-target.ts';

const copyLength = 2 ** 20;

/**
 * Lets `write` write to a file of no name in the system's temporary directory, and then hands its bytes to `target`
 * in order, until `signal` fires. The file is gone when that is done, or when the process is.
 */
export async function throughTemporaryFile(
  target: ImageTarget,
  write: (file: ImageTarget) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const name = `a temporary file in ${tmpdir()}`;
  await using file = await openNamelessFile();
  await write(fileTarget(file.fd, name));
  const { size } = await file.stat();
  const buffer = new Uint8Array(copyLength);
  for (let offset = 0; offset < size; offset += copyLength) {
    throwIfAborted(signal);
    const piece = buffer.subarray(0, Math.min(copyLength, size - offset));
    readFully(file.fd, piece, offset, name);
    await target.write(piece, offset);
  }
  await target.finish(size);
}
