import type { FileHandle } from 'node:fs/promises';
import { addAbortSignal, type Readable } from 'node:stream';
import { systemError, VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { openNamelessFile } from '../block/nameless-file.ts';
import { writeFully } from '../block/positional-io.ts';
import { regularFileDevice } from '../block/regular-file-device.ts';
import { alignUp } from '../bytes/align.ts';
import { isZero } from '../bytes/is-zero.ts';
import { zeroRuns } from '../format/zero-runs.ts';

/** Zeros that fill such blocks of the file take no space. */
const blockSize = 4096;

/** What a stream is written down as, and who may stop it. */
export interface SpoolOptions {
  /** A directory with room for all of it; the file there has no name. */
  readonly directory: string;
  /** What errors call the stream. */
  readonly label: string;
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes of each piece. */
  readonly onBytes?: ((count: number) => void) | undefined;
}

/**
 * Writes a stream down, so that it can be read anywhere, and more than once: formats keep their tables at their ends.
 * Zeros take no space. Disposing of the device gives the space back, as does the death of this process.
 *
 * @throws VarveError `ABORTED`, `NO_SPACE`, and what the stream fails with
 */
export async function spoolStream(stream: Readable, options: SpoolOptions): Promise<BlockDevice> {
  const { directory, label } = options;
  // A failure before anybody reads is thrown where somebody does.
  stream.on('error', () => {});
  const handle = await openNamelessFile(directory);
  try {
    const size = await writeDown(handle, stream, options);
    const { blksize } = await handle.stat();
    return regularFileDevice({ handle, size, blockSize: blksize, readOnly: true, label });
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The number of bytes that came. */
async function writeDown(handle: FileHandle, stream: Readable, options: SpoolOptions): Promise<number> {
  const { directory, label, signal, onBytes } = options;
  if (signal !== undefined) addAbortSignal(signal, stream);
  let size = 0;
  try {
    for await (const piece of stream as AsyncIterable<Uint8Array>) {
      writeSparsely(handle.fd, piece, size, `a temporary file in ${directory}`);
      size += piece.length;
      onBytes?.(piece.length);
    }
    await handle.truncate(size);
  } catch (error) {
    if (signal?.aborted) throw new VarveError('ABORTED', 'stopped on request', { cause: signal.reason });
    throw systemError(`read ${label}`, error);
  }
  return size;
}

function writeSparsely(fd: number, piece: Uint8Array, offset: number, name: string): void {
  const first = Math.min(piece.length, alignUp(offset, blockSize) - offset);
  if (first > 0 && !isZero(piece.subarray(0, first))) writeFully(fd, piece.subarray(0, first), offset, name);
  const rest = piece.subarray(first);
  for (const { end, isZero: isHole, start } of zeroRuns(rest, blockSize)) {
    if (!isHole) writeFully(fd, rest.subarray(start, end), offset + first + start, name);
  }
}
