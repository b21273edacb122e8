import { VarveError } from '../../base/varve-error.ts';
import type { Partition } from '../../partition/partition-table.ts';

/** The partition with a number; `partitions` is left out for a disk without any. @throws VarveError `NOT_FOUND` */
export function requirePartition(
  partitions: readonly Partition[] | undefined,
  wanted: number,
  disk: string,
): Partition {
  const found = partitions?.find(({ number }) => number === wanted);
  if (found !== undefined) return found;
  const numbers = partitions?.map(({ number }) => number).join(', ');
  const there = numbers === undefined ? 'it has no partition table' : `it has ${numbers || 'no partitions'}`;
  throw new VarveError('NOT_FOUND', `there is no partition ${wanted} on ${disk}: ${there}`);
}
