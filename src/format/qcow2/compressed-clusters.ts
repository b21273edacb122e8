import { LruMap } from '../../base/lru.ts';
import type { BlockDevice, MaybePromise } from '../../block/block-device.ts';
import { corruptImage } from '../image-errors.ts';
import type { Compression } from '../image-format.ts';
import type { ClusterRun } from './cluster-map.ts';
import { decompressCluster } from './decompress.ts';

/** Where compressed clusters come from. */
export interface CompressedClustersOptions {
  readonly file: BlockDevice;
  /** The image's name in errors. */
  readonly name: string;
  readonly compression: Compression;
  /** In bytes. */
  readonly clusterSize: number;
}

const maximumCacheLength = 2 ** 25;

/**
 * Clusters that were read in parts, by image and host offset: of all images together, so that a chain of many takes no
 * more memory than one image.
 */
const keptClusters = new LruMap<string, Uint8Array>(maximumCacheLength);
let imageCount = 0;

/** Reads compressed clusters, and keeps those that were read in parts for a while. Hot: bench/nbd-images.ts watches it. */
export class CompressedClusters {
  readonly #options: CompressedClustersOptions;
  /** What the keys of its clusters begin with. */
  readonly #image: number;
  /** Takes the packed bytes where the file answers at once instead of a fresh buffer for each cluster. */
  #packed: Uint8Array | undefined;

  constructor(options: CompressedClustersOptions) {
    this.#options = options;
    imageCount += 1;
    this.#image = imageCount;
  }

  /**
   * Fills `target` from guest byte `offset`, which `run` begins with; `target` is as long as the run.
   *
   * @throws VarveError `CORRUPT`
   */
  read(target: Uint8Array, offset: number, run: ClusterRun): MaybePromise<void> {
    const kept = keptClusters.get(this.#keyOf(run));
    if (kept !== undefined) return this.#copy(target, kept, offset);
    const packed = this.#takePacked(run.compressedLength);
    const bytes = packed.subarray(0, run.compressedLength);
    const reading = this.#options.file.read(bytes, run.hostOffset);
    if (reading === undefined) {
      this.#packed = packed;
      return this.#decompress(target, bytes, offset, run);
    }
    return reading.then(() => this.#decompress(target, bytes, offset, run));
  }

  #takePacked(length: number): Uint8Array {
    const packed = this.#packed;
    this.#packed = undefined;
    return packed !== undefined && packed.length >= length ? packed : new Uint8Array(length);
  }

  #decompress(target: Uint8Array, bytes: Uint8Array, offset: number, run: ClusterRun): void {
    const { compression, clusterSize } = this.#options;
    let cluster: Uint8Array;
    try {
      cluster = decompressCluster(compression, bytes, clusterSize);
    } catch (cause) {
      throw this.#undecodable(offset, cause instanceof Error ? cause.message : String(cause));
    }
    if (target.length < clusterSize) keptClusters.set(this.#keyOf(run), cluster, cluster.length);
    this.#copy(target, cluster, offset);
  }

  #copy(target: Uint8Array, cluster: Uint8Array, offset: number): void {
    const skipped = offset % cluster.length;
    target.set(target.length === cluster.length ? cluster : cluster.subarray(skipped, skipped + target.length));
  }

  #keyOf({ hostOffset }: ClusterRun): string {
    return `${this.#image} ${hostOffset}`;
  }

  #undecodable(offset: number, reason: string): Error {
    const { compression, name } = this.#options;
    return corruptImage(
      name,
      `the compressed cluster of disk byte ${offset} does not decode as ${compression}: ${reason}`,
    );
  }
}
