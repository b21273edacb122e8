/** Up to 2^31 µs, about 36 minutes. */
const bucketCount = 32;

/** How often requests took how long, in buckets of doubling width: exact enough to tell a cache from a disk. */
export class LatencyHistogram {
  /** `counts[n]` requests took less than 2^n µs and at least half of that; the last one also all that took longer. */
  readonly counts: Float64Array = new Float64Array(bucketCount);
  #totalUs = 0;

  /** How many requests were counted. */
  get count(): number {
    return this.counts.reduce((total, count) => total + count, 0);
  }

  /** The mean in µs; 0 of no requests. */
  get meanUs(): number {
    const { count } = this;
    return count === 0 ? 0 : this.#totalUs / count;
  }

  /** Counts a request that took `latencyUs`, in µs. */
  add(latencyUs: number): void {
    const bucket = latencyUs < 1 ? 0 : Math.min(Math.floor(Math.log2(latencyUs)) + 1, bucketCount - 1);
    this.counts[bucket]! += 1;
    this.#totalUs += latencyUs;
  }

  /** Less than so many µs was taken by this share of the requests, from 0 to 1; 0 of no requests. */
  percentileUs(share: number): number {
    let rest = Math.ceil(this.count * share);
    for (let bucket = 0; bucket < bucketCount; bucket += 1) {
      rest -= this.counts[bucket]!;
      if (rest <= 0) return this.count === 0 ? 0 : 2 ** bucket;
    }
    return Number.POSITIVE_INFINITY;
  }
}
