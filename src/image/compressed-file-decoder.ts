import type { InflateRaw, ZstdDecompress } from 'node:zlib';
import type { CompressedFileInput } from './compressed-file-input.ts';

/**
 * What a decoder of Node's makes of the next member or frame of a file; what follows that stays in `input`. Throws
 * what the decoder throws.
 */
export async function* throughDecoder(
  decoder: InflateRaw | ZstdDecompress,
  input: CompressedFileInput,
): AsyncGenerator<Uint8Array> {
  const feeding = feed(decoder, input);
  // A failure is thrown where the pieces are read.
  feeding.catch((error) => decoder.destroy(error));
  try {
    for await (const piece of decoder as AsyncIterable<Uint8Array>) yield piece;
    await feeding;
  } finally {
    decoder.destroy();
  }
}

async function feed(decoder: InflateRaw | ZstdDecompress, input: CompressedFileInput): Promise<void> {
  for (let given = 0; ; ) {
    const piece = await input.next();
    if (piece === undefined) {
      decoder.end();
      return;
    }
    await written(decoder, piece);
    given += piece.length;
    const left = given - decoder.bytesWritten;
    if (left > 0) {
      // It wants no more: its end was in this piece.
      input.unread(piece.subarray(piece.length - left));
      return;
    }
  }
}

function written(decoder: InflateRaw | ZstdDecompress, piece: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    decoder.write(piece, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });
}
