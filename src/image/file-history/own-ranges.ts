import type { BlockDevice, Extent } from '../../block/block-device.ts';
import { openFileDevice } from '../../block/file-device.ts';
import { memoryDevice } from '../../block/memory-device.ts';
import { alignDown, alignUp } from '../../bytes/align.ts';
import type { DiskRange } from '../../format/data-ranges.ts';
import { openImage } from '../../format/formats.ts';

/**
 * The ranges of its disk that an image file says something of itself, zeros too, in order; what is between it takes from
 * the file it builds on, which is not opened.
 *
 * @throws VarveError as opening an image does
 */
export async function ownRanges(path: string, format: string): Promise<DiskRange[]> {
  const file = await openFileDevice(path, { readOnly: true });
  await using image = await openImage(file, { name: path, format, openBacking: async () => memoryDevice(0) });
  return await Array.fromAsync(rangesWhere(image, 1, ({ kind }) => kind !== 'hole'));
}

/** The ranges of a disk whose extents `isMeant`, widened to multiples of `alignment` bytes and joined where they touch. */
async function* rangesWhere(
  device: BlockDevice,
  alignment: number,
  isMeant: (extent: Extent) => boolean,
): AsyncGenerator<DiskRange> {
  if (device.size === 0) return;
  let start = 0;
  let end = 0;
  for await (const extent of device.extents(0, device.size)) {
    if (!isMeant(extent)) continue;
    const extentStart = alignDown(extent.offset, alignment);
    if (extentStart > end) {
      if (end > start) yield { offset: start, length: end - start };
      start = extentStart;
    }
    end = Math.min(device.size, alignUp(extent.offset + extent.length, alignment));
  }
  if (end > start) yield { offset: start, length: end - start };
}

/** How many bytes ranges are, all together. */
export function totalLength(ranges: readonly DiskRange[]): number {
  return ranges.reduce((total, { length }) => total + length, 0);
}

/** Ranges in order, cut into pieces that lie between multiples of `pieceLength` bytes. */
export function* pieces(ranges: Iterable<DiskRange>, pieceLength: number): Generator<DiskRange, undefined> {
  for (const { offset, length } of ranges) {
    for (let position = offset; position < offset + length; ) {
      const end = Math.min(offset + length, alignDown(position, pieceLength) + pieceLength);
      yield { offset: position, length: end - position };
      position = end;
    }
  }
}

/** Ranges in order, widened to multiples of `alignment` bytes and joined where they touch then. */
export function alignRanges(ranges: Iterable<DiskRange>, alignment: number): DiskRange[] {
  const aligned: DiskRange[] = [];
  for (const { offset, length } of ranges) {
    const [start, end] = [alignDown(offset, alignment), alignUp(offset + length, alignment)];
    const last = aligned.at(-1);
    if (last === undefined || last.offset + last.length < start) aligned.push({ offset: start, length: end - start });
    else
      aligned[aligned.length - 1] = {
        offset: last.offset,
        length: Math.max(end, last.offset + last.length) - last.offset,
      };
  }
  return aligned;
}
