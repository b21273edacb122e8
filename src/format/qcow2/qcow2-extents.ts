import type { BlockDevice, Extent } from '../../block/block-device.ts';
import { extentsBeneath, joinedExtents } from '../extents-beneath.ts';
import type { ClusterMap } from './cluster-map.ts';

/** What the extents of an image are made from. */
export interface ExtentSources {
  readonly map: ClusterMap;
  readonly backing: BlockDevice | undefined;
  /** The file whose holes count as zeros, where it is worth asking for them. */
  readonly sparseFile: BlockDevice | undefined;
}

/** The extents of a range, neighbours of one kind made one, so that a sparse disk of any size has few. */
export function qcow2Extents(sources: ExtentSources, offset: number, length: number): AsyncGenerator<Extent> {
  return joinedExtents(rawExtents(sources, offset, length));
}

async function* rawExtents(sources: ExtentSources, offset: number, length: number): AsyncGenerator<Extent> {
  const { map, backing, sparseFile } = sources;
  for (let position = offset; position < offset + length; ) {
    const found = map.lookup(position, offset + length - position, sparseFile !== undefined);
    const run = found instanceof Promise ? await found : found;
    if (run.kind === 'unallocated') yield* extentsBeneath(backing, { offset: position, length: run.length }, 'hole', 0);
    else if (run.kind === 'zero') yield { offset: position, length: run.length, kind: 'zero' };
    else if (run.kind === 'compressed') yield { offset: position, length: run.length, kind: 'data' };
    else if (sparseFile === undefined) yield { offset: position, length: run.length, kind: 'data' };
    else yield* extentsBeneath(sparseFile, { offset: position, length: run.length }, 'zero', run.hostOffset - position);
    position += run.length;
  }
}
