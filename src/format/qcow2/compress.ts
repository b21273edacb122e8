import { constants, deflateRawSync, zstdCompressSync } from 'node:zlib';
import { isZero } from '../../bytes/is-zero.ts';
import type { Compression } from '../image-format.ts';

/** Some clusters after compression. */
export interface CompressedBatch {
  /** What is left of the clusters, one after the other. */
  readonly packed: Uint8Array<ArrayBuffer>;
  /**
   * How many bytes each cluster has there: none where it is all zeros, the cluster's size where it did not get smaller
   * and is there as it was.
   */
  readonly lengths: readonly number[];
}

/** The window that other programs decode with is 2^12 bytes, and no more. */
const deflateOptions = { windowBits: 12, memLevel: 9 };
const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

/** Compresses each cluster of `bytes` on its own; `bytes` are whole clusters of `clusterSize` bytes. */
export function compressClusters(bytes: Uint8Array, clusterSize: number, compression: Compression): CompressedBatch {
  const packed = new Uint8Array(bytes.length);
  const lengths: number[] = [];
  let packedLength = 0;
  for (let offset = 0; offset < bytes.length; offset += clusterSize) {
    const kept = compressCluster(bytes.subarray(offset, offset + clusterSize), compression);
    packed.set(kept, packedLength);
    packedLength += kept.length;
    lengths.push(kept.length);
  }
  return { packed: packed.subarray(0, packedLength), lengths };
}

const nothing = new Uint8Array();

function compressCluster(cluster: Uint8Array, compression: Compression): Uint8Array {
  if (isZero(cluster)) return nothing;
  const compressed = compression === 'zstd' ? zstd(cluster) : deflate(cluster);
  return compressed.length < cluster.length ? compressed : cluster;
}

/** With room for all output in one buffer, zlib is called once. */
function outputLength(cluster: Uint8Array): number {
  return cluster.length + 1024;
}

function zstd(cluster: Uint8Array): Uint8Array {
  return zstdCompressSync(cluster, { ...zstdOptions, chunkSize: outputLength(cluster) });
}

function deflate(cluster: Uint8Array): Uint8Array {
  return deflateRawSync(cluster, { ...deflateOptions, chunkSize: outputLength(cluster) });
}
