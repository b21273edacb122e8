import { zlib } from '../../bytes/zlib.ts';
import type { Compression } from '../image-format.ts';
import { zstdFrameLength } from './zstd-frame.ts';

/** A frame may ask for no more memory than this; RFC 8878 lets a decoder stop at 8 MiB. */
const zstdWindowLog = 23;

/**
 * The cluster of `clusterSize` bytes that is at the start of `bytes`; what follows it there is passed over. Output is
 * bounded by the cluster's size. Throws some `Error` where the bytes do not give exactly that.
 */
export function decompressCluster(compression: Compression, bytes: Uint8Array, clusterSize: number): Uint8Array {
  const cluster = decompress(compression, bytes, clusterSize);
  if (cluster.length === clusterSize) return cluster;
  throw new Error(`it gives ${cluster.length} bytes, and a cluster has ${clusterSize}`);
}

function decompress(compression: Compression, bytes: Uint8Array, clusterSize: number): Uint8Array {
  try {
    if (compression === 'deflate') return zlib().inflateRawSync(bytes, deflateOptions(clusterSize));
    return zlib().zstdDecompressSync(zstdFrame(bytes), zstdOptions(clusterSize));
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ERR_BUFFER_TOO_LARGE') throw cause;
    throw new Error(`it gives more than the ${clusterSize} bytes of a cluster`, { cause });
  }
}

/** With room for all output in one buffer and some to spare, zlib is called once. */
function outputOptions(clusterSize: number) {
  return { chunkSize: clusterSize + 64, maxOutputLength: clusterSize };
}

/** A stream that ends without its end mark is good when the cluster is there. */
function deflateOptions(clusterSize: number) {
  return { ...outputOptions(clusterSize), finishFlush: zlib().constants.Z_SYNC_FLUSH };
}

function zstdOptions(clusterSize: number) {
  return { ...outputOptions(clusterSize), params: { [zlib().constants.ZSTD_d_windowLogMax]: zstdWindowLog } };
}

function zstdFrame(bytes: Uint8Array): Uint8Array {
  const length = zstdFrameLength(bytes, 'zstd frame');
  if (length === undefined) throw new Error('there is no zstd frame');
  return bytes.subarray(0, length);
}
