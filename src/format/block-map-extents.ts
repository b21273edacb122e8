import type { Extent } from '../block/block-device.ts';
import type { BlockMapSources } from './block-map.ts';
import { extentsBeneath, joinedExtents, joinedMap, mapBeneath } from './extents-beneath.ts';
import type { MappedExtent } from './image-format.ts';

/** The extents of a range, neighbours of one kind made one. What is a hole of the file reads as zeros. */
export function blockExtents(sources: BlockMapSources, offset: number, length: number): AsyncGenerator<Extent> {
  return joinedExtents(separateExtents(sources, offset, length));
}

async function* separateExtents(sources: BlockMapSources, offset: number, length: number): AsyncGenerator<Extent> {
  const { backing, file, map } = sources;
  for (let position = offset; position < offset + length; ) {
    const found = map.lookup(position, offset + length - position);
    const run = found instanceof Promise ? await found : found;
    if (run.kind === 'backing') yield* extentsBeneath(backing, { offset: position, length: run.length }, 'hole', 0);
    else if (run.kind !== 'data') yield { offset: position, length: run.length, kind: run.kind };
    else if (!file.supports.extents) yield { offset: position, length: run.length, kind: 'data' };
    else yield* extentsBeneath(file, { offset: position, length: run.length }, 'zero', run.hostOffset - position);
    position += run.length;
  }
}

/** The same with where it comes from, as the image's tables have it; neighbours that go on in the file made one. */
export function mappedBlocks(sources: BlockMapSources, offset: number, length: number): AsyncGenerator<MappedExtent> {
  return joinedMap(separateBlocks(sources, offset, length));
}

async function* separateBlocks(sources: BlockMapSources, offset: number, length: number): AsyncGenerator<MappedExtent> {
  for (let position = offset; position < offset + length; ) {
    const found = sources.map.lookup(position, offset + length - position);
    const run = found instanceof Promise ? await found : found;
    const where = { offset: position, length: run.length, depth: 0, compressed: false };
    if (run.kind === 'backing') yield* mapBeneath(sources.backing, where);
    else if (run.kind === 'data') yield { ...where, kind: 'data', present: true, hostOffset: run.hostOffset };
    else yield { ...where, kind: run.kind, present: run.kind === 'zero' || sources.holesArePresent === true };
    position += run.length;
  }
}
