import type { BlockDevice, Extent } from '../block/block-device.ts';
import type { FormatDevice, MappedExtent } from './image-format.ts';

/** The runs of a range with where they come from: what the device's format tells, or else what its extents do. */
export function mapOf(
  device: BlockDevice,
  offset: number,
  length: number,
): Iterable<MappedExtent> | AsyncIterable<MappedExtent> {
  if (length === 0) return [];
  const { map } = device as Partial<FormatDevice>;
  return map === undefined ? mapOfExtents(device.extents(offset, length)) : map.call(device, offset, length);
}

async function* mapOfExtents(extents: Iterable<Extent> | AsyncIterable<Extent>): AsyncGenerator<MappedExtent> {
  for await (const { kind, length, offset } of extents) {
    yield { offset, length, kind, depth: 0, present: kind !== 'hole', compressed: false };
  }
}
