import type { PartitionTable } from '../../partition/partition-table.ts';

/** How well a partition's start fits what storage reads and writes at once. */
export interface PartitionAlignment {
  /** As the guest would see it: `/dev/sda1`. */
  readonly name: string;
  /** Where it starts, in bytes. */
  readonly offset: number;
  /** The largest power of two that divides that, in bytes. */
  readonly alignment: number;
  readonly isOk: boolean;
}

/** Disks write 4 KiB at once: who writes to half of that has them read the rest first. */
const leastAlignment = 4096;
/** No larger power of two divides a place below 2^53; what starts at 0 fits everything. */
const largestAlignment = 2 ** 52;

/** The partitions of a table that hold something, by their numbers; an extended one only holds others. */
export function partitionAlignments({ partitions }: PartitionTable): PartitionAlignment[] {
  return partitions
    .filter(({ kind }) => kind !== 'extended')
    .map(({ number, offset }) => {
      const alignment = alignmentOf(offset);
      return { name: `/dev/sda${number}`, offset, alignment, isOk: alignment >= leastAlignment };
    });
}

function alignmentOf(offset: number): number {
  let alignment = 1;
  while (alignment < largestAlignment && offset % (alignment * 2) === 0) alignment *= 2;
  return alignment;
}
