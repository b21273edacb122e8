import { VarveError } from '../../base/varve-error.ts';
import { alignUp } from '../../bytes/align.ts';
import type { Partition } from '../../partition/partition-table.ts';
import { isFirstLogical, linkLength } from '../../partition/placed-mbr.ts';
import type { PlacedPartition } from '../../partition/placed-partition.ts';

/** Partitions start at multiples of this, in bytes: of what any storage reads and writes at once. */
const alignment = 2 ** 20;

/** What is around the partitions, in bytes. */
export interface DiskFrame {
  /** What errors call the disk. */
  readonly name: string;
  readonly size: number;
  /** How much of the start and of the end is the table's. */
  readonly headLength: number;
  readonly tailLength: number;
}

/** Where partitions come to lie. */
export interface PlannedPlaces {
  /** In the order of their numbers. */
  readonly placed: readonly PlacedPartition[];
  /** Of the disk, in bytes: as before, or more where that is too small. */
  readonly size: number;
}

/**
 * Lays partitions out in the order in which they are: each starts at the next mebibyte that is free and not before where
 * it started, so that gaps between them take up what moving costs.
 *
 * @throws VarveError `UNSUPPORTED` for partitions that overlap each other or the table, `CORRUPT` for ones past the end
 */
export function planPlaces(partitions: readonly Partition[], frame: DiskFrame): PlannedPlaces {
  requireInside(partitions, frame);
  const planner = new Planner(alignUp(frame.headLength, alignment));
  const outer = partitions.filter(({ kind }) => kind !== 'logical').sort(byOffset);
  requireApart(outer, frame.headLength, frame.name);
  const logical = partitions.filter(({ kind }) => kind === 'logical').sort(byOffset);
  const container = outer.find(({ kind }) => kind === 'extended');
  requireApart(logical, (container?.offset ?? 0) + 1, frame.name);
  for (const each of outer) {
    if (each !== container) planner.place(each);
    else planner.placeContainer(each, logical);
  }
  const placed = planner.placed.sort((one, other) => one.partition.number - other.partition.number);
  const needed = planner.end + frame.tailLength;
  return { placed, size: needed <= frame.size ? frame.size : alignUp(needed, alignment) };
}

class Planner {
  readonly placed: PlacedPartition[] = [];
  /** Up to where it is taken. */
  end: number;

  constructor(start: number) {
    this.end = start;
  }

  place(partition: Partition): void {
    const offset = this.#next(partition.offset);
    this.end = offset + partition.length;
    this.placed.push({ partition, offset, length: partition.length });
  }

  placeContainer(partition: Partition, logical: readonly Partition[]): void {
    const offset = this.#next(partition.offset);
    this.end = offset + linkLength;
    for (const each of logical) {
      if (!isFirstLogical(each.number)) this.end = alignUp(this.end, alignment) + linkLength;
      this.place(each);
    }
    this.end = Math.max(this.end, partition.offset + partition.length);
    this.placed.push({ partition, offset, length: this.end - offset });
  }

  #next(offset: number): number {
    return alignUp(Math.max(this.end, offset), alignment);
  }
}

function byOffset(one: Partition, other: Partition): number {
  return one.offset - other.offset;
}

function requireInside(partitions: readonly Partition[], { name, size }: DiskFrame): void {
  const past = partitions.find(({ length, offset }) => offset + length > size);
  if (past === undefined) return;
  throw new VarveError('CORRUPT', `cannot align ${name}: partition ${past.number} ends after the disk`);
}

function requireApart(sorted: readonly Partition[], start: number, name: string): void {
  let end = start;
  let before = 'the partition table';
  for (const { length, number, offset } of sorted) {
    if (offset < end)
      throw new VarveError('UNSUPPORTED', `cannot align ${name}: partition ${number} overlaps ${before}`);
    end = offset + length;
    before = `partition ${number}`;
  }
}
