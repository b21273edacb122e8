import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { Compression } from '../image-format.ts';
import { type CompressedBatch, compressClusters } from './compress.ts';

/** What a worker compresses, told once. */
export interface CompressWork {
  /** In bytes. */
  readonly clusterSize: number;
  readonly compression: Compression;
}

/** Tells this module, in a worker thread, that it is meant. */
const marker = 'varve qcow2 compression';

/**
 * Starts a thread that takes buffers of whole clusters, transferred to it, and answers each in turn with a
 * `CompressedBatch`.
 */
export function startCompressWorker(work: CompressWork): Worker {
  return new Worker(new URL(import.meta.url), { workerData: { marker, ...work } });
}

if (!isMainThread && workerData?.marker === marker) {
  const { clusterSize, compression }: CompressWork = workerData;
  parentPort!.on('message', (bytes: Uint8Array) => {
    const batch: CompressedBatch = compressClusters(bytes, clusterSize, compression);
    parentPort!.postMessage(batch, [batch.packed.buffer]);
  });
}
