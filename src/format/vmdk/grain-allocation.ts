import type { BlockDevice } from '../../block/block-device.ts';
import { Bitmap } from '../../bytes/bitmap.ts';
import { type DiskRange, dataRanges } from '../data-ranges.ts';
import { entriesPerTable, grainSize } from './write-plan.ts';

/** Which grains of a disk have a place in the file, in memory for what has one only. */
export class GrainAllocation {
  /** For each table that is not empty, by index, the grains that are there; in ascending order. */
  readonly tables = new Map<number, Bitmap>();
  /** How many grains there are. */
  count = 0;

  /** Gives the grains from `first` to before `end` a place; they come after all others. */
  add(first: number, end: number): void {
    this.count += end - first;
    for (let grain = first; grain < end; ) {
      const index = Math.floor(grain / entriesPerTable);
      const start = index * entriesPerTable;
      const stop = Math.min(end, start + entriesPerTable);
      const table = this.tables.get(index) ?? new Bitmap(entriesPerTable);
      table.setRange(grain - start, stop - start);
      this.tables.set(index, table);
      grain = stop;
    }
  }

  /** The disk's bytes that have a place, in order. */
  *ranges(diskSize: number): Generator<DiskRange, undefined> {
    for (const [index, table] of this.tables) {
      for (let start = table.nextSet(0); start < table.size; ) {
        const end = table.nextClear(start);
        const offset = (index * entriesPerTable + start) * grainSize;
        yield { offset, length: Math.min((end - start) * grainSize, diskSize - offset) };
        start = table.nextSet(end);
      }
    }
  }
}

/** The grains that a disk's extents call data. */
export async function allocationOf(source: BlockDevice): Promise<GrainAllocation> {
  const allocation = new GrainAllocation();
  for await (const { length, offset } of dataRanges(source, grainSize)) {
    allocation.add(offset / grainSize, Math.ceil((offset + length) / grainSize));
  }
  return allocation;
}
