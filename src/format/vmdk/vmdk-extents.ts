import type { BlockDevice, Extent } from '../../block/block-device.ts';
import { extentsBeneath, joinedExtents, mapBeneath } from '../extents-beneath.ts';
import type { MappedExtent } from '../image-format.ts';
import type { DiskExtent, GrainRun } from './disk-extent.ts';
import type { ExtentList } from './extent-list.ts';

/** What the extents of a disk are made from. */
export interface ExtentSources {
  readonly extents: ExtentList;
  readonly parent: BlockDevice | undefined;
}

/** A run of the disk, and the extent that it is in. */
interface PlacedRun extends GrainRun {
  /** On the disk, in bytes. */
  readonly offset: number;
  readonly extent: DiskExtent;
}

/** The extents of a range, neighbours of one kind made one, so that a sparse disk of any size has few. */
export function vmdkExtents(sources: ExtentSources, offset: number, length: number): AsyncGenerator<Extent> {
  return joinedExtents(separateExtents(sources, offset, length));
}

async function* separateExtents(sources: ExtentSources, offset: number, length: number): AsyncGenerator<Extent> {
  for await (const run of runsOf(sources.extents, offset, length, false)) {
    const { flatFile } = run.extent;
    if (run.kind === 'unallocated') yield* extentsBeneath(sources.parent, run, 'hole', 0);
    else if (run.kind === 'zero') yield { offset: run.offset, length: run.length, kind: 'zero' };
    else if (flatFile === undefined) yield { offset: run.offset, length: run.length, kind: 'data' };
    else yield* extentsBeneath(flatFile, run, 'zero', run.hostOffset - run.offset);
  }
}

/** The runs of a range with where they come from. */
export async function* vmdkMap(sources: ExtentSources, offset: number, length: number): AsyncGenerator<MappedExtent> {
  for await (const run of runsOf(sources.extents, offset, length, true)) {
    const { flatFile } = run.extent;
    if (run.kind === 'unallocated') yield* mapBeneath(sources.parent, run);
    else if (flatFile !== undefined) yield* mapOfFlat(flatFile, run);
    else {
      const kind = run.kind === 'zero' ? 'zero' : 'data';
      const place = run.kind === 'data' ? { hostOffset: run.hostOffset } : {};
      const compressed = run.kind === 'compressed';
      yield { offset: run.offset, length: run.length, kind, depth: 0, present: true, compressed, ...place };
    }
  }
}

async function* mapOfFlat(file: BlockDevice, run: PlacedRun): AsyncGenerator<MappedExtent> {
  const shift = run.hostOffset - run.offset;
  for await (const extent of extentsBeneath(file, run, 'zero', shift)) {
    yield { ...extent, depth: 0, present: true, compressed: false, hostOffset: extent.offset + shift };
  }
}

async function* runsOf(
  extents: ExtentList,
  offset: number,
  length: number,
  contiguous: boolean,
): AsyncGenerator<PlacedRun> {
  for (let position = offset; position < offset + length; ) {
    const { extent, start } = extents.at(position);
    const found = extent.lookup(position - start, offset + length - position, contiguous);
    const run = found instanceof Promise ? await found : found;
    yield { ...run, offset: position, extent };
    position += run.length;
  }
}
