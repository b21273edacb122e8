import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';
import { IntervalSet } from '../../bytes/interval-set.ts';
import { isZero } from '../../bytes/is-zero.ts';
import { type DiskRange, dataRanges } from '../../format/data-ranges.ts';
import { unionRanges } from '../union-ranges.ts';

/** What an overlay takes from its base, before and after it gets another one. */
export interface BaseChange {
  /** What the overlay does not take from a base, in order. */
  readonly own: readonly DiskRange[];
  readonly before: BlockDevice;
  /** Undefined where it is to build on nothing. */
  readonly after: BlockDevice | undefined;
  /** Whether the overlay's `zero` hides what the new base holds; otherwise zeros are written. */
  readonly canZero: boolean;
  /** Called with how far it has come, in bytes. */
  readonly onProgress?: (position: number) => void;
  readonly signal?: AbortSignal | undefined;
}

const pieceLength = 2 ** 20;

/**
 * Writes into an overlay, which is open over its new base, what the old one holds and the new one does not, in whole
 * clusters as far as the overlay takes them from its base, and flushes it. What is cut off here has changed nothing that
 * the overlay holds over the old base.
 *
 * @returns how many bytes were written
 */
export async function copyDifferences(overlay: BlockDevice, change: BaseChange): Promise<number> {
  const { before, after, canZero, onProgress, signal } = change;
  const own = new IntervalSet(change.own.map(({ offset, length }) => ({ offset, end: offset + length })));
  const unit = overlay.blockSize;
  const length = Math.max(pieceLength, unit);
  const [old, next] = [new Uint8Array(length), new Uint8Array(length)];
  let written = 0;
  for await (const start of pieceStarts(before, after, length, overlay.size)) {
    if (signal?.aborted) throw new VarveError('ABORTED', 'stopped on request', { cause: signal.reason });
    const end = Math.min(overlay.size, start + length);
    await readOrZeros(before, old, start);
    await readOrZeros(after, next, start);
    for (let offset = start; offset < end; offset += unit) {
      const unitEnd = Math.min(end, offset + unit);
      for (const gap of own.gaps(offset, unitEnd)) {
        const content = old.subarray(gap.offset - start, gap.end - start);
        if (Buffer.compare(content, next.subarray(gap.offset - start, gap.end - start)) === 0) continue;
        if (canZero && isZero(content)) await overlay.zero(gap.offset, content.length);
        else await overlay.write(content, gap.offset);
        written += content.length;
      }
    }
    onProgress?.(end);
  }
  await overlay.flush();
  onProgress?.(overlay.size);
  return written;
}

/** Where the pieces start in which one of the disks has data, each once, in order. */
async function* pieceStarts(
  before: BlockDevice,
  after: BlockDevice | undefined,
  length: number,
  end: number,
): AsyncGenerator<number> {
  const data = dataRanges(before, 1);
  const either = after === undefined ? data : unionRanges(data, dataRanges(after, 1));
  let next = 0;
  for await (const range of either) {
    const rangeEnd = Math.min(end, range.offset + range.length);
    next = Math.max(next, range.offset - (range.offset % length));
    for (; next < rangeEnd; next += length) yield next;
    next = Math.min(next, alignUp(rangeEnd, length));
  }
}

/** Fills `target` with what is at `offset`; past the disk's end with zeros. */
async function readOrZeros(device: BlockDevice | undefined, target: Uint8Array, offset: number): Promise<void> {
  const length = Math.min(target.length, Math.max(0, (device?.size ?? 0) - offset));
  target.fill(0, length);
  if (device !== undefined && length > 0) await device.read(target.subarray(0, length), offset);
}
