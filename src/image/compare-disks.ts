import { setImmediate } from 'node:timers/promises';
import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice } from '../block/block-device.ts';
import { type DiskRange, dataRanges } from '../format/data-ranges.ts';
import { log } from '../log/log.ts';
import { sameContent } from '../store/image-table.ts';
import { diffSnapshots } from './diff-snapshots.ts';
import type { Disk } from './open-disk.ts';
import { readInOrder } from './read-in-order.ts';
import { unionRanges } from './union-ranges.ts';

/** How disks are compared. */
export interface CompareOptions {
  /** Disks of different sizes are different, even where the larger one is zero past the end of the other. */
  readonly strict?: boolean | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What came of a comparison. */
export interface Comparison {
  readonly identical: boolean;
  /** Where the first byte is that differs; left out where none does. */
  readonly offset?: number;
  /** Whether one disk is larger than the other; bytes past a disk's end count as zeros. */
  readonly sizesDiffer: boolean;
}

/** What is compared at once, in bytes: disks are quick at it, and the caches of a processor hold both. */
const pieceSize = 2 ** 20;

/**
 * Whether two disks hold the same bytes, and where they differ first. What is zero on both is not read, and of two
 * snapshots of one store only chunks that differ.
 *
 * @throws VarveError `ABORTED`, and what reading the disks throws
 */
export async function compareDisks(a: Disk, b: Disk, options: CompareOptions = {}): Promise<Comparison> {
  const sizesDiffer = a.device.size !== b.device.size;
  if (sizesDiffer && options.strict) return { identical: false, sizesDiffer };
  return await log.scope(`compare ${a.label} with ${b.label}`, async () => {
    const offset = await differenceOf(a, b, options.signal);
    return { identical: offset === undefined, ...(offset === undefined ? {} : { offset }), sizesDiffer };
  });
}

/** Where two disks differ first. */
async function differenceOf(a: Disk, b: Disk, signal: AbortSignal | undefined): Promise<number | undefined> {
  if (a.kind === 'snapshot' && b.kind === 'snapshot' && a.store === b.store) {
    if (sameContent(a.snapshot, b.snapshot)) return undefined;
    const changes = diffSnapshots(a.store, a.snapshot, b.snapshot, signal);
    return await firstDifference(a.device, b.device, changes, signal);
  }
  return await readInOrder(a, (deviceA) =>
    readInOrder(b, (deviceB) => {
      const data = unionRanges(dataRanges(deviceA, 1), dataRanges(deviceB, 1));
      return firstDifference(deviceA, deviceB, data, signal);
    }),
  );
}

async function firstDifference(
  a: BlockDevice,
  b: BlockDevice,
  ranges: AsyncIterable<DiskRange>,
  signal: AbortSignal | undefined,
): Promise<number | undefined> {
  using progress = log.progress({ label: 'comparing', totalBytes: Math.max(a.size, b.size) });
  const [pieceA, pieceB] = [new Uint8Array(pieceSize), new Uint8Array(pieceSize)];
  for await (const range of ranges) {
    for (let done = 0; done < range.length; done += pieceSize) {
      const offset = range.offset + done;
      const length = Math.min(pieceSize, range.length - done);
      const [partA, partB] = [pieceA.subarray(0, length), pieceB.subarray(0, length)];
      await readOrZeros(a, partA, offset);
      await readOrZeros(b, partB, offset);
      const index = firstDifferentByte(partA, partB);
      if (index !== undefined) return offset + index;
      progress.advance(offset + length - progress.bytes);
      await setImmediate();
      if (signal?.aborted) throw new VarveError('ABORTED', 'stopped on request', { cause: signal.reason });
    }
  }
  return undefined;
}

/** Fills `target` with what is at `offset`, past the disk's end with zeros. */
async function readOrZeros(device: BlockDevice, target: Uint8Array, offset: number): Promise<void> {
  const length = Math.min(Math.max(device.size - offset, 0), target.length);
  target.fill(0, length);
  if (length > 0) await device.read(target.subarray(0, length), offset);
}

/** The index of the first byte that differs between two arrays of equal length, found by halving. */
function firstDifferentByte(a: Uint8Array, b: Uint8Array): number | undefined {
  if (Buffer.compare(a, b) === 0) return undefined;
  let start = 0;
  let end = a.length;
  while (end - start > 1) {
    const middle = Math.floor((start + end) / 2);
    if (Buffer.compare(a.subarray(start, middle), b.subarray(start, middle)) === 0) start = middle;
    else end = middle;
  }
  return start;
}
