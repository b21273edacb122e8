import { once } from 'node:events';
import zlib from 'node:zlib';
import { VarveError } from '../../base/varve-error.ts';

/** What a stream of bytes can be compressed with. */
export const compressions = ['zstd', 'gzip'] as const;

/** One of `compressions`. */
export type Compression = (typeof compressions)[number];

/** Takes a stream of bytes, piece by piece, each of which is the caller's again when it is done with. */
export interface StreamSink {
  write(bytes: Uint8Array): Promise<void> | void;
  /** To be called once, when all was written. */
  end(): Promise<void>;
}

/** A sink that compresses what it is given, and hands it to `write`; without a compression, as it is. */
export function compressedSink(compression: Compression | undefined, write: (bytes: Uint8Array) => void): StreamSink {
  if (compression === undefined) return { write, end: () => Promise.resolve() };
  const stream = compression === 'gzip' ? zlib.createGzip() : zlib.createZstdCompress(zstdOptions);
  let failure: unknown;
  stream.on('data', (piece: Buffer) => {
    try {
      write(piece);
    } catch (error) {
      failure ??= error;
      stream.destroy();
    }
  });
  stream.on('error', (error) => {
    failure ??= new VarveError('IO', `cannot compress with ${compression}: ${error.message}`, { cause: error });
  });
  return {
    write: (bytes) =>
      new Promise((resolve, reject) => {
        stream.write(bytes, () => (failure === undefined ? resolve() : reject(failure)));
      }),
    async end() {
      const ended = once(stream, 'close');
      stream.end();
      await ended;
      if (failure !== undefined) throw failure;
    },
  };
}

const zstdOptions = { params: { [zlib.constants.ZSTD_c_checksumFlag]: 1 } };
