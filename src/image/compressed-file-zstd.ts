import { createZstdDecompress } from 'node:zlib';
import { throughDecoder } from './compressed-file-decoder.ts';
import { CompressedFileError } from './compressed-file-error.ts';
import type { CompressedFileInput } from './compressed-file-input.ts';

const chunkSize = 2 ** 18;

/** What a zstd file holds, all its frames; windows of up to 128 MiB, as the program takes them by itself. */
export async function* unzstd(input: CompressedFileInput): AsyncGenerator<Uint8Array> {
  try {
    do yield* throughDecoder(createZstdDecompress({ chunkSize }), input);
    while ((await input.peek(1)).length > 0);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ZSTD_error_frameParameter_windowTooLarge') throw cause;
    const what = 'it was made with a window of more than 128 MiB (zstd --long); unpack it with zstd -d --long=31 first';
    throw new CompressedFileError('not supported', what, { cause });
  }
}
