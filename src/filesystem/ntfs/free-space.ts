import { clearBitRuns } from '../clear-bits.ts';
import type { DeviceRange } from '../file-system.ts';
import { attributeTypes } from './attribute.ts';
import type { NtfsVolume } from './ntfs-volume.ts';

const bitmapFile = 6;

/** The ranges of the device whose clusters are free by $Bitmap, in order. @throws VarveError `CORRUPT` */
export async function* freeRangesOf(volume: NtfsVolume): AsyncGenerator<DeviceRange> {
  const { clusterCount, clusterSize } = volume.layout;
  const bitmap = await (await volume.file(bitmapFile)).stream(attributeTypes.data, new Uint8Array(0));
  const needed = Math.ceil(clusterCount / 8);
  if (bitmap === undefined || bitmap.size < needed) {
    throw volume.corrupt(`$Bitmap has ${bitmap?.size ?? 0} bytes, and needs ${needed}`);
  }
  for await (const { kind } of bitmap.extents()) {
    // Holes would be called free, and may be longer than any disk.
    if (kind !== 'data') throw volume.corrupt('$Bitmap has holes');
  }
  const read = async (target: Uint8Array, offset: number) => void (await bitmap.read(target, offset));
  for await (const { start, count } of clearBitRuns(clusterCount, read)) {
    yield { offset: start * clusterSize, length: count * clusterSize };
  }
}
