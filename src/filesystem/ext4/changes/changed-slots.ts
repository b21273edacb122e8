import { alignDown } from '../../../bytes/align.ts';
import type { IntervalSet } from '../../../bytes/interval-set.ts';
import type { Ext4Volume } from '../volume.ts';
import type { InodeTable } from './group-layout.ts';

/** The fields that say when an inode was read, and its checksum, by offset and length. */
const ofNoInterest: readonly (readonly [offset: number, length: number])[] = [
  [8, 4],
  [124, 2],
  [130, 2],
  [140, 4],
];
const firstExtraField = 128;

/** The numbers of the inodes in a table that are not the same, but for when they were read. `a` and `b` are of one shape. */
export async function* changedSlots(
  a: Ext4Volume,
  b: Ext4Volume,
  { group, offset, end }: InodeTable,
  ranges: IntervalSet,
): AsyncGenerator<number> {
  const { inodeSize, inodesPerGroup, blockSize } = a.superblock;
  const last = Math.min(end, offset + inodesPerGroup * inodeSize);
  let next = offset;
  for (const range of ranges.intersect(offset, last)) {
    for (let at = Math.max(next, alignDown(range.offset, inodeSize)); at < range.end; at += inodeSize) {
      const number = group * inodesPerGroup + (at - offset) / inodeSize + 1;
      const inside = at % blockSize;
      const what = `inode ${number}`;
      const [pageA, pageB] = [
        await a.block((at - inside) / blockSize, what),
        await b.block((at - inside) / blockSize, what),
      ];
      if (!isSameSlot(slotIn(pageA, inside, inodeSize), slotIn(pageB, inside, inodeSize))) yield number;
      next = at + inodeSize;
    }
  }
}

function slotIn(page: DataView, offset: number, length: number): Uint8Array {
  return new Uint8Array(page.buffer, page.byteOffset + offset, length);
}

function isSameSlot(a: Uint8Array, b: Uint8Array): boolean {
  if (Buffer.compare(a, b) === 0) return true;
  const [masked, other] = [a.slice(), b.slice()];
  for (const [offset, length] of ofNoInterest) {
    if (!hasField(a, offset, length) || !hasField(b, offset, length)) continue;
    masked.fill(0, offset, offset + length);
    other.fill(0, offset, offset + length);
  }
  return Buffer.compare(masked, other) === 0;
}

/** Behind the fields that an inode says it has are attributes. */
function hasField(slot: Uint8Array, offset: number, length: number): boolean {
  if (offset < firstExtraField) return true;
  if (slot.length <= firstExtraField) return false;
  return offset + length <= firstExtraField + (slot[firstExtraField]! | (slot[firstExtraField + 1]! << 8));
}
