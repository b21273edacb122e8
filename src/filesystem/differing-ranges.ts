import type { BlockDevice } from '../block/block-device.ts';
import { alignDown, alignUp } from '../bytes/align.ts';
import { IntervalSet } from '../bytes/interval-set.ts';
import { replayedRanges } from './replayed-device.ts';

const sectorSize = 512;
/** What is compared at once, in bytes: a whole number of sectors. */
const pieceSize = 1 << 18;

/**
 * Where the bytes of two devices differ, in whole sectors of 512 bytes, if all that differs beneath their journals lies in
 * `ranges`. What only one of them has is left out.
 */
export async function differingRanges(a: BlockDevice, b: BlockDevice, ranges: IntervalSet): Promise<IntervalSet> {
  const different = new IntervalSet();
  const pieces = [new Uint8Array(pieceSize), new Uint8Array(pieceSize)] as const;
  for (const { offset, end } of withReplayed(a, b, ranges)) {
    const last = Math.min(alignUp(end, sectorSize), a.size, b.size);
    for (let start = alignDown(offset, sectorSize); start < last; start += pieceSize) {
      const length = Math.min(pieceSize, last - start);
      const [partA, partB] = [pieces[0].subarray(0, length), pieces[1].subarray(0, length)];
      await a.read(partA, start);
      await b.read(partB, start);
      addDifferent(different, partA, partB, start);
    }
  }
  return different;
}

function withReplayed(a: BlockDevice, b: BlockDevice, ranges: IntervalSet): IntervalSet {
  const all = ranges.clone();
  for (const { offset, length } of [...replayedRanges(a), ...replayedRanges(b)]) all.add(offset, offset + length);
  return all;
}

function addDifferent(different: IntervalSet, a: Uint8Array, b: Uint8Array, start: number): void {
  if (Buffer.compare(a, b) === 0) return;
  for (let at = 0; at < a.length; at += sectorSize) {
    const end = Math.min(a.length, at + sectorSize);
    if (Buffer.compare(a.subarray(at, end), b.subarray(at, end)) !== 0) different.add(start + at, start + end);
  }
}
