import { ReadableStream } from 'node:stream/web';
import { CompressedFileError } from './compressed-file-error.ts';
import type { CompressedFileInput } from './compressed-file-input.ts';

/** Results of XZ Embedded, which is inside. Source: its linux/include/linux/xz.h, `enum xz_ret`. */
const notSupported = new Set([2, 3, 4, 6]);
const cutOff = 8;

/** What an xz file holds, all its streams and the padding between them. */
export async function* unxz(input: Pick<CompressedFileInput, 'next'>): AsyncGenerator<Uint8Array> {
  // Loaded by whoever needs it: it unpacks a WebAssembly module.
  const { default: library } = await import('xz-decompress');
  const compressed = new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        const piece = await input.next();
        if (piece === undefined) controller.close();
        else controller.enqueue(piece);
      },
    },
    { highWaterMark: 0 },
  );
  try {
    yield* new library.XzReadableStream(compressed);
  } catch (cause) {
    throw xzError(cause);
  }
}

function xzError(cause: unknown): unknown {
  const code = Number(/error code (\d+)/.exec((cause as Error).message)?.[1]);
  if (Number.isNaN(code)) return cause;
  if (code === cutOff) return new CompressedFileError('cut off', 'it ends early', { cause });
  if (!notSupported.has(code)) return new CompressedFileError('damaged', 'its data make no sense', { cause });
  const what = 'it uses a filter, a check or a dictionary that only xz itself knows; unpack it with xz -d first';
  return new CompressedFileError('not supported', what, { cause });
}
