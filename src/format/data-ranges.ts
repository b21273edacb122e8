import type { BlockDevice } from '../block/block-device.ts';
import { alignDown, alignUp } from '../bytes/align.ts';

/** Some bytes of a disk; offset and length in bytes. */
export interface DiskRange {
  readonly offset: number;
  readonly length: number;
}

/**
 * The ranges of a disk that may hold something else than zeros, in order, widened to multiples of `alignment` bytes
 * (and to the disk's end at most) and joined where they touch then.
 */
export async function* dataRanges(source: BlockDevice, alignment: number): AsyncGenerator<DiskRange> {
  if (source.size === 0) return;
  let start = 0;
  let end = 0;
  for await (const extent of source.extents(0, source.size)) {
    if (extent.kind !== 'data') continue;
    const dataStart = alignDown(extent.offset, alignment);
    if (dataStart > end) {
      if (end > start) yield { offset: start, length: end - start };
      start = dataStart;
    }
    end = Math.min(source.size, alignUp(extent.offset + extent.length, alignment));
  }
  if (end > start) yield { offset: start, length: end - start };
}
