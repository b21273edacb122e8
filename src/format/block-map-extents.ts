import type { BlockDevice, Extent, ExtentKind } from '../block/block-device.ts';
import type { BlockMapSources } from './block-map.ts';
import type { MappedExtent } from './image-format.ts';
import { mapOf } from './map-of.ts';

/** The extents of a range, neighbours of one kind made one. What is a hole of the file reads as zeros. */
export async function* blockExtents(sources: BlockMapSources, offset: number, length: number): AsyncGenerator<Extent> {
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

async function* separateExtents(sources: BlockMapSources, offset: number, length: number): AsyncGenerator<Extent> {
  const { backing, file, map } = sources;
  for (let position = offset; position < offset + length; ) {
    const found = map.lookup(position, offset + length - position);
    const run = found instanceof Promise ? await found : found;
    if (run.kind === 'backing') yield* beneath(backing, position, run.length, 'hole', 0);
    else if (run.kind !== 'data') yield { offset: position, length: run.length, kind: run.kind };
    else if (!file.supports.extents) yield { offset: position, length: run.length, kind: 'data' };
    else yield* beneath(file, position, run.length, 'zero', run.hostOffset - position);
    position += run.length;
  }
}

/**
 * The extents of what lies beneath: `shift` bytes further on in `device`, whose holes are of kind `hole`, as is all
 * past its end.
 */
async function* beneath(
  device: BlockDevice | undefined,
  offset: number,
  length: number,
  hole: ExtentKind,
  shift: number,
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

/** The same with where it comes from, as the image's tables have it; neighbours that go on in the file made one. */
export async function* mappedBlocks(
  sources: BlockMapSources,
  offset: number,
  length: number,
): AsyncGenerator<MappedExtent> {
  let last: MappedExtent | undefined;
  for await (const extent of separateBlocks(sources, offset, length)) {
    if (last === undefined) last = extent;
    else if (goesOn(last, extent)) last = { ...last, length: last.length + extent.length };
    else {
      yield last;
      last = extent;
    }
  }
  if (last !== undefined) yield last;
}

function goesOn(first: MappedExtent, second: MappedExtent): boolean {
  const place = first.hostOffset === undefined ? undefined : first.hostOffset + first.length;
  return (
    first.kind === second.kind &&
    first.depth === second.depth &&
    first.present === second.present &&
    first.compressed === second.compressed &&
    place === second.hostOffset
  );
}

async function* separateBlocks(sources: BlockMapSources, offset: number, length: number): AsyncGenerator<MappedExtent> {
  for (let position = offset; position < offset + length; ) {
    const found = sources.map.lookup(position, offset + length - position);
    const run = found instanceof Promise ? await found : found;
    const where = { offset: position, length: run.length, depth: 0, compressed: false };
    if (run.kind === 'backing') yield* mappedBeneath(sources.backing, position, run.length);
    else if (run.kind === 'data') yield { ...where, kind: 'data', present: true, hostOffset: run.hostOffset };
    else yield { ...where, kind: run.kind, present: run.kind === 'zero' || sources.holesArePresent === true };
    position += run.length;
  }
}

async function* mappedBeneath(
  backing: BlockDevice | undefined,
  offset: number,
  length: number,
): AsyncGenerator<MappedExtent> {
  const available = Math.max(0, Math.min(length, (backing?.size ?? 0) - offset));
  if (backing !== undefined && available > 0) {
    for await (const extent of mapOf(backing, offset, available)) yield { ...extent, depth: extent.depth + 1 };
  }
  const rest = { offset: offset + available, length: length - available, depth: 0, compressed: false };
  if (available < length) yield { ...rest, kind: 'hole', present: false };
}
