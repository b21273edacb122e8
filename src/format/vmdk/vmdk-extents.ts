import type { BlockDevice, Extent, ExtentKind } from '../../block/block-device.ts';
import type { MappedExtent } from '../image-format.ts';
import { mapOf } from '../map-of.ts';
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
export async function* vmdkExtents(sources: ExtentSources, offset: number, length: number): AsyncGenerator<Extent> {
  let last: Extent | undefined;
  for await (const extent of separateExtents(sources, offset, length)) {
    if (last === undefined) last = extent;
    else if (last.kind === extent.kind) last = { ...last, length: last.length + extent.length };
    else {
      yield last;
      last = extent;
    }
  }
  if (last !== undefined) yield last;
}

async function* separateExtents(sources: ExtentSources, offset: number, length: number): AsyncGenerator<Extent> {
  for await (const run of runsOf(sources.extents, offset, length, false)) {
    const { flatFile } = run.extent;
    if (run.kind === 'unallocated') yield* beneath(sources.parent, run, 0, 'hole');
    else if (run.kind === 'zero') yield { offset: run.offset, length: run.length, kind: 'zero' };
    else if (flatFile === undefined) yield { offset: run.offset, length: run.length, kind: 'data' };
    else yield* beneath(flatFile, run, run.hostOffset - run.offset, 'zero');
  }
}

/** The runs of a range with where they come from. */
export async function* vmdkMap(sources: ExtentSources, offset: number, length: number): AsyncGenerator<MappedExtent> {
  for await (const run of runsOf(sources.extents, offset, length, true)) {
    const { flatFile } = run.extent;
    if (run.kind === 'unallocated') yield* mapOfParent(sources.parent, run);
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
  for await (const extent of beneath(file, run, shift, 'zero')) {
    yield { ...extent, depth: 0, present: true, compressed: false, hostOffset: extent.offset + shift };
  }
}

async function* mapOfParent(parent: BlockDevice | undefined, run: PlacedRun): AsyncGenerator<MappedExtent> {
  const length = Math.max(0, Math.min(run.length, (parent?.size ?? 0) - run.offset));
  if (parent !== undefined) {
    for await (const each of mapOf(parent, run.offset, length)) yield { ...each, depth: each.depth + 1 };
  }
  const rest = { offset: run.offset + length, length: run.length - length };
  if (rest.length > 0) yield { ...rest, kind: 'hole', depth: 0, present: false, compressed: false };
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

/**
 * The extents of what lies beneath a run: `shift` bytes further on in `device`, whose holes are of kind `hole`, as is
 * all past its end.
 */
async function* beneath(
  device: BlockDevice | undefined,
  { offset, length }: PlacedRun,
  shift: number,
  hole: ExtentKind,
): AsyncGenerator<Extent> {
  const end = offset + length;
  const deviceEnd = Math.max(offset, Math.min(end, (device?.size ?? 0) - shift));
  if (device !== undefined && deviceEnd > offset) {
    for await (const extent of device.extents(offset + shift, deviceEnd - offset)) {
      const kind = extent.kind === 'hole' ? hole : extent.kind;
      yield { offset: extent.offset - shift, length: extent.length, kind };
    }
  }
  if (deviceEnd < end) yield { offset: deviceEnd, length: end - deviceEnd, kind: hole };
}
