import { promisify } from 'node:util';
import type { BlockDevice } from '../../block/block-device.ts';
import { isZero } from '../../bytes/is-zero.ts';
import { zlib } from '../../bytes/zlib.ts';
import { dataRanges } from '../data-ranges.ts';
import { diskPieces } from '../disk-pieces.ts';
import type { WriteImageOptions } from '../image-format.ts';
import { maximumCompressedLength } from './compressed-grains.ts';
import { grainSize } from './write-plan.ts';

/** A grain of a disk that is not zeros. */
export interface CompressedGrain {
  /** Which of the disk's grains. */
  readonly index: number;
  readonly compressed: Uint8Array;
}

interface Waiting {
  readonly index: number;
  readonly compressed: Promise<Uint8Array>;
}

/** How many grains Node's thread pool has, or has done, before the first of them is taken. */
const maximumWaiting = 64;

/** Compresses all grains of a disk that are not zeros, several at a time, and gives them in order. */
export async function* compressedGrains(
  source: BlockDevice,
  { onProgress, parallel = maximumWaiting, signal }: WriteImageOptions,
): AsyncGenerator<CompressedGrain> {
  const deflate = promisify<Uint8Array, object, Buffer>(zlib().deflate);
  // With room for all output in one buffer, zlib is called once.
  const options = { chunkSize: maximumCompressedLength(grainSize) };
  const waiting: Waiting[] = [];
  const pieces = diskPieces(source, dataRanges(source, grainSize), { alignment: grainSize, signal });
  try {
    for await (const { bytes, length, offset } of pieces) {
      for (let start = 0; start < bytes.length; start += grainSize) {
        if (isZero(bytes.subarray(start, start + grainSize))) continue;
        // A copy: the piece's bytes are its maker's again before a thread is done with them.
        const compressed = deflate(bytes.slice(start, start + grainSize), options);
        // Whoever waits for it sees the failure; until then it must not count as nobody's.
        compressed.catch(() => undefined);
        waiting.push({ index: (offset + start) / grainSize, compressed });
        if (waiting.length >= Math.min(parallel, maximumWaiting)) yield await first(waiting);
      }
      onProgress?.(offset + length);
    }
    while (waiting.length > 0) yield await first(waiting);
  } finally {
    await Promise.allSettled(waiting.map(({ compressed }) => compressed));
  }
}

async function first(waiting: Waiting[]): Promise<CompressedGrain> {
  const { index, compressed } = waiting.shift()!;
  return { index, compressed: await compressed };
}
