import { availableParallelism } from 'node:os';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { dataRanges } from '../data-ranges.ts';
import { diskPieces } from '../disk-pieces.ts';
import type { Compression, WriteImageOptions } from '../image-format.ts';
import { zeroRuns } from '../zero-runs.ts';
import { type CompressedBatch, compressClusters } from './compress.ts';
import { startCompressWorker } from './compress-worker.ts';
import type { ImageBuilder } from './image-builder.ts';
import type { Layout } from './layout.ts';
import { WorkerPool } from './worker-pool.ts';

/** Stores all clusters of a disk that are not zero. */
export async function writePlainClusters(
  source: BlockDevice,
  builder: ImageBuilder,
  { clusterSize }: Layout,
  { onProgress, signal }: WriteImageOptions,
): Promise<void> {
  const ranges = dataRanges(source, clusterSize);
  for await (const { bytes, length, offset } of diskPieces(source, ranges, { alignment: clusterSize, signal })) {
    for (const run of zeroRuns(bytes, clusterSize)) {
      if (!run.isZero) await builder.addPlain(offset + run.start, bytes.subarray(run.start, run.end));
    }
    onProgress?.(offset + length);
  }
}

const maximumThreads = 16;
/** One that a thread works on, and one that waits. */
const batchesPerThread = 2;
/** So many batches are not worth a thread. */
const batchesBeforeThreads = 4;
/** How many more may wait for their turn to be written, so that this thread need not wait for another. */
const batchesAhead = 4;

interface Batch {
  readonly offset: number;
  readonly length: number;
  readonly compressed: Promise<CompressedBatch>;
}

/**
 * Stores all clusters of a disk that are not zero, compressed where that makes them smaller: in as many threads as
 * there are other processors, and in this one when those are busy.
 */
export async function writeCompressedClusters(
  source: BlockDevice,
  builder: ImageBuilder,
  { clusterSize }: Layout,
  { compression, onProgress, parallel, signal }: WriteImageOptions & { readonly compression: Compression },
): Promise<void> {
  const threadCount = threadsFor(parallel);
  await using pool = new WorkerPool<Uint8Array, CompressedBatch>(threadCount, () =>
    startCompressWorker({ clusterSize, compression }),
  );
  const waiting: Batch[] = [];
  const writeOldest = async (): Promise<void> => {
    const { compressed, length, offset } = waiting.shift()!;
    await writeBatch(builder, offset, await compressed, clusterSize);
    onProgress?.(offset + length);
  };
  let batchCount = 0;
  const ranges = dataRanges(source, clusterSize);
  for await (const { bytes, length, offset } of diskPieces(source, ranges, { alignment: clusterSize, signal })) {
    batchCount += 1;
    const threadsAreBusy = pool.pendingCount >= threadCount * batchesPerThread;
    const compressed =
      threadsAreBusy || batchCount <= batchesBeforeThreads
        ? Promise.resolve(compressClusters(bytes, clusterSize, compression))
        : pool.run(bytes, [bytes.buffer]);
    // Whoever waits for it sees the failure; until then it must not count as nobody's.
    compressed.catch(() => undefined);
    waiting.push({ offset, length, compressed });
    if (waiting.length > threadCount * batchesPerThread + batchesAhead) await writeOldest();
  }
  while (waiting.length > 0) await writeOldest();
}

/** This thread counts as one of `parallel`. */
function threadsFor(parallel: number | undefined): number {
  const wanted = parallel === undefined ? Math.max(1, availableParallelism() - 1) : parallel - 1;
  return Math.min(maximumThreads, wanted);
}

async function writeBatch(
  builder: ImageBuilder,
  diskOffset: number,
  { lengths, packed }: CompressedBatch,
  clusterSize: number,
): Promise<void> {
  const segment = new PackedSegment(builder, packed);
  let position = 0;
  for (const [index, length] of lengths.entries()) {
    const offset = diskOffset + index * clusterSize;
    if (length === clusterSize) {
      await builder.addPlain(offset, packed.subarray(position, position + length));
    } else if (length > 0) {
      const pending = segment.add(position, length, builder.placeCompressed(offset, length));
      if (pending !== undefined) await pending;
    }
    position += length;
  }
  await segment.flush();
  await builder.settle();
}

/** Compressed clusters that have come to lie one after the other in the file too, and are written at once. */
class PackedSegment {
  readonly #builder: ImageBuilder;
  readonly #packed: Uint8Array;
  /** What is not written yet, in `#packed`, and where in the file it goes. */
  #start = 0;
  #end = 0;
  #offset = 0;

  constructor(builder: ImageBuilder, packed: Uint8Array) {
    this.#builder = builder;
    this.#packed = packed;
  }

  /** Takes `length` bytes from byte `position` of the packed ones, whose place is byte `offset` of the file. */
  add(position: number, length: number, offset: number): MaybePromise<void> {
    if (position === this.#end && offset === this.#offset + this.#end - this.#start) {
      this.#end += length;
      return undefined;
    }
    const pending = this.flush();
    this.#start = position;
    this.#end = position + length;
    this.#offset = offset;
    return pending;
  }

  flush(): MaybePromise<void> {
    if (this.#end === this.#start) return undefined;
    const pending = this.#builder.write(this.#packed.subarray(this.#start, this.#end), this.#offset);
    this.#start = this.#end;
    return pending;
  }
}
