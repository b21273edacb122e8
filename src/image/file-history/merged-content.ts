import type { BlockDevice } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import type { DiskRange } from '../../format/data-ranges.ts';

const sectorSize = 512;

/** What a disk is to hold once the changes of an overlay are in it. */
export interface MergedContent {
  /** In bytes. */
  readonly size: number;
  /** Where it differs, or may, from what the disk holds now; in order, without overlaps. */
  readonly ranges: readonly DiskRange[];
  /** Fills `target` with what is to be at byte `offset`, with zeros past the end. */
  read(target: Uint8Array, offset: number): Promise<void>;
}

/**
 * The content of `base` with what `overlay`, which builds on it, has of its own. Where the overlay is smaller, the base
 * keeps its end; where it is larger, the base grows.
 */
export function mergedContent(overlay: BlockDevice, own: readonly DiskRange[], base: BlockDevice): MergedContent {
  const reached = own.reduce((end, { offset, length }) => Math.max(end, offset + length), 0);
  // The disk of an overlay ends with a whole sector, which is no wish for a larger disk.
  const grows = reached > base.size || overlay.size > alignUp(base.size, sectorSize);
  return {
    size: grows ? Math.max(overlay.size, base.size) : base.size,
    ranges: own,
    async read(target, offset) {
      const fromOverlay = await readFrom(overlay, target, offset);
      const fromBase = await readFrom(base, target.subarray(fromOverlay), offset + fromOverlay);
      target.fill(0, fromOverlay + fromBase);
    },
  };
}

/** Reads as much as there is, and gives its length in bytes. */
async function readFrom(device: BlockDevice, target: Uint8Array, offset: number): Promise<number> {
  const length = Math.min(target.length, Math.max(0, device.size - offset));
  if (length > 0) await device.read(target.subarray(0, length), offset);
  return length;
}
