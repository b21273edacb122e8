import type { BlockDevice, Extent, ExtentKind } from '../../block/block-device.ts';
import type { ClusterMap } from './cluster-map.ts';

/** What the extents of an image are made from. */
export interface ExtentSources {
  readonly map: ClusterMap;
  readonly backing: BlockDevice | undefined;
  /** The file whose holes count as zeros, where it is worth asking for them. */
  readonly sparseFile: BlockDevice | undefined;
}

/** The extents of a range, neighbours of one kind made one, so that a sparse disk of any size has few. */
export async function* qcow2Extents(sources: ExtentSources, offset: number, length: number): AsyncGenerator<Extent> {
  let last: Extent | undefined;
  for await (const extent of rawExtents(sources, offset, length)) {
    if (last === undefined) last = extent;
    else if (last.kind === extent.kind) last = { ...last, length: last.length + extent.length };
    else {
      yield last;
      last = extent;
    }
  }
  if (last !== undefined) yield last;
}

async function* rawExtents(sources: ExtentSources, offset: number, length: number): AsyncGenerator<Extent> {
  const { map, backing, sparseFile } = sources;
  for (let position = offset; position < offset + length; ) {
    const found = map.lookup(position, offset + length - position, sparseFile !== undefined);
    const run = found instanceof Promise ? await found : found;
    if (run.kind === 'unallocated') yield* beneath(backing, position, run.length, 'hole', 0);
    else if (run.kind === 'zero') yield { offset: position, length: run.length, kind: 'zero' };
    else if (run.kind === 'compressed') yield { offset: position, length: run.length, kind: 'data' };
    else if (sparseFile === undefined) yield { offset: position, length: run.length, kind: 'data' };
    else yield* beneath(sparseFile, position, run.length, 'zero', run.hostOffset - position);
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
