import type { BlockDevice, Extent, ExtentKind } from '../block/block-device.ts';
import type { DiskRange } from './data-ranges.ts';
import type { MappedExtent } from './image-format.ts';
import { mapOf } from './map-of.ts';

/** The same extents, neighbours of one kind made one, so that a sparse disk of any size has few. */
export async function* joinedExtents(extents: AsyncIterable<Extent>): AsyncGenerator<Extent> {
  let last: Extent | undefined;
  for await (const extent of extents) {
    if (last === undefined) last = extent;
    else if (last.kind === extent.kind) last = { ...last, length: last.length + extent.length };
    else {
      yield last;
      last = extent;
    }
  }
  if (last !== undefined) yield last;
}

/**
 * The extents of what lies beneath a range of a disk: `shift` bytes further on in `device`, whose holes are of kind
 * `hole`, as is all past its end.
 */
export async function* extentsBeneath(
  device: BlockDevice | undefined,
  { offset, length }: DiskRange,
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

/** What the disk that an image builds on tells of a range that the image leaves to it; nothing has what is past its end. */
export async function* mapBeneath(
  backing: BlockDevice | undefined,
  { offset, length }: DiskRange,
): AsyncGenerator<MappedExtent> {
  const available = Math.max(0, Math.min(length, (backing?.size ?? 0) - offset));
  if (backing !== undefined && available > 0) {
    for await (const extent of mapOf(backing, offset, available)) yield { ...extent, depth: extent.depth + 1 };
  }
  const rest = { offset: offset + available, length: length - available, depth: 0, compressed: false };
  if (available < length) yield { ...rest, kind: 'hole', present: false };
}

/** The same runs, neighbours that go on in the file made one. */
export async function* joinedMap(runs: AsyncIterable<MappedExtent>): AsyncGenerator<MappedExtent> {
  let last: MappedExtent | undefined;
  for await (const run of runs) {
    if (last !== undefined && goesOn(last, run)) last = { ...last, length: last.length + run.length };
    else {
      if (last !== undefined) yield last;
      last = run;
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
