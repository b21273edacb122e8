import { refcountCodec } from '../refcount-codec.ts';
import { ClusterCounts, maximumCount } from './cluster-counts.ts';
import type { Findings } from './findings.ts';

/** What a reference counter needs to know of its image. */
export interface ReferenceCounterOptions {
  readonly findings: Findings;
  /** The image's, in errors. */
  readonly name: string;
  /** In bytes. */
  readonly fileSize: number;
  /** In bytes. */
  readonly clusterSize: number;
  readonly refcountOrder: number;
}

/** Counts how often each cluster of a file is referred to. */
export class ReferenceCounter {
  readonly counts: ClusterCounts;
  /** How many clusters the file has; one more once something is in a last one that is there in part only. */
  clusterCount: number;
  readonly #options: ReferenceCounterOptions;
  readonly #maximum: number;

  constructor(options: ReferenceCounterOptions) {
    this.#options = options;
    this.counts = new ClusterCounts(options.name);
    this.#maximum = Math.min(refcountCodec(options.refcountOrder).maximum, maximumCount);
    this.clusterCount = Math.ceil(options.fileSize / options.clusterSize);
  }

  /**
   * Counts `times` references to the clusters that bytes `offset` to `offset + length` are in. What ends a cluster or
   * more past the end of the file is a contradiction and counts for nothing. `what` names it in problems.
   */
  add(what: string, offset: number, length: number, times = 1): void {
    const { clusterSize, fileSize, findings } = this.#options;
    if (length === 0 || times === 0) return;
    if (offset + length - fileSize >= clusterSize) {
      findings.corrupt(() => `${what} at byte ${offset} lies past the end of the file, which has ${fileSize}`, times);
      return;
    }
    const last = Math.floor((offset + length - 1) / clusterSize);
    this.clusterCount = Math.max(this.clusterCount, last + 1);
    for (let cluster = Math.floor(offset / clusterSize); cluster <= last; cluster += 1) this.#count(cluster, times);
  }

  /** Takes back what `add` counted once. */
  remove(offset: number, length: number): void {
    const { clusterSize, fileSize } = this.#options;
    if (length === 0 || offset + length - fileSize >= clusterSize) return;
    const last = Math.floor((offset + length - 1) / clusterSize);
    for (let cluster = Math.floor(offset / clusterSize); cluster <= last; cluster += 1) {
      this.counts.set(cluster, this.counts.get(cluster) - 1);
    }
  }

  #count(cluster: number, times: number): void {
    const count = this.counts.get(cluster) + times;
    this.counts.set(cluster, Math.min(count, this.#maximum));
    if (count <= this.#maximum) return;
    this.#options.findings.hidden ??= 'its refcounts are too narrow';
    this.#options.findings.corrupt(
      () => `cluster ${cluster} is used ${count} times, and its refcount cannot go over ${this.#maximum}`,
      count - this.#maximum,
    );
  }
}
