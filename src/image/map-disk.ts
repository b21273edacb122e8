import type { MappedExtent } from '../format/image-format.ts';
import type { Disk } from './open-disk.ts';

/**
 * The runs of a disk with where they come from, in order, without gaps; neighbours that go on are joined. Of a snapshot
 * they are whole chunks without a place: the store moves them about.
 *
 * @throws what reading the disk's tables throws
 */
export async function* mapDisk(disk: Disk): AsyncGenerator<MappedExtent, undefined> {
  let current: MappedExtent | undefined;
  for await (const extent of runsOf(disk)) {
    if (current !== undefined && goesOn(current, extent))
      current = { ...current, length: current.length + extent.length };
    else {
      if (current !== undefined) yield current;
      current = extent;
    }
  }
  if (current !== undefined) yield current;
}

async function* runsOf(disk: Disk): AsyncGenerator<MappedExtent, undefined> {
  const { size } = disk.device;
  if (size === 0) return;
  if (disk.kind !== 'snapshot' && disk.image.map !== undefined) {
    yield* disk.image.map(0, size);
    return;
  }
  for await (const extent of disk.device.extents(0, size)) {
    yield { ...extent, depth: 0, present: extent.kind !== 'hole', compressed: false };
  }
}

/** Whether `next` is more of the same as `run`, in the file too. */
function goesOn(run: MappedExtent, next: MappedExtent): boolean {
  const follows =
    run.hostOffset === undefined ? next.hostOffset === undefined : next.hostOffset === run.hostOffset + run.length;
  return (
    follows &&
    next.kind === run.kind &&
    next.depth === run.depth &&
    next.present === run.present &&
    next.compressed === run.compressed
  );
}
