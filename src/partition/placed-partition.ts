import type { Partition } from './partition-table.ts';

/** A partition, and the place that it gets on another disk; in bytes. */
export interface PlacedPartition {
  readonly partition: Partition;
  readonly offset: number;
  /** That of the partition, but for an extended one, which reaches as far as what it holds. */
  readonly length: number;
}

/** Bytes of a disk that are to be others. */
export interface DiskBytes {
  readonly offset: number;
  readonly bytes: Uint8Array;
}
