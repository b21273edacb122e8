import { setImmediate } from 'node:timers/promises';
import type { BlockDevice } from '../block/block-device.ts';
import { type DiskRange, dataRanges } from '../format/data-ranges.ts';
import { log } from '../log/log.ts';
import { chunkSize } from '../store/chunk.ts';
import { type ChangedRange, diffSnapshots } from './diff-snapshots.ts';
import type { Disk } from './open-disk.ts';
import { readInOrder } from './read-in-order.ts';
import { unionRanges } from './union-ranges.ts';

/** How disks are compared. */
export interface DiffOptions {
  readonly signal?: AbortSignal | undefined;
}

/**
 * The ranges in which two disks differ, in order, in whole chunks; past the end of the smaller one the other is compared
 * with zeros. Of two snapshots of one store only their maps are read, of other disks all that is data.
 * @throws what reading the disks throws, and the reason of the signal
 */
export async function diffDisks(a: Disk, b: Disk, { signal }: DiffOptions = {}): Promise<ChangedRange[]> {
  return await log.scope(`diff ${a.label} ${b.label}`, async () => {
    if (a.kind === 'snapshot' && b.kind === 'snapshot' && a.store === b.store) {
      return await Array.fromAsync(diffSnapshots(a.store, a.snapshot, b.snapshot, signal));
    }
    return await readInOrder(a, (deviceA) => readInOrder(b, (deviceB) => differentRanges(deviceA, deviceB, signal)));
  });
}

/** What is compared at once, in bytes: a whole number of chunks. */
const pieceSize = 16 * chunkSize;

async function differentRanges(
  a: BlockDevice,
  b: BlockDevice,
  signal: AbortSignal | undefined,
): Promise<ChangedRange[]> {
  const end = Math.max(a.size, b.size);
  using progress = log.progress({ label: 'comparing', totalBytes: end });
  const [pieceA, pieceB] = [new Uint8Array(pieceSize), new Uint8Array(pieceSize)];
  const different: ChangedRange[] = [];
  for await (const offset of pieceOffsets(unionRanges(dataRanges(a, chunkSize), dataRanges(b, chunkSize)))) {
    const length = Math.min(pieceSize, end - offset);
    const [partA, partB] = [pieceA.subarray(0, length), pieceB.subarray(0, length)];
    await readOrZeros(a, partA, offset);
    await readOrZeros(b, partB, offset);
    for (const range of differentChunks(partA, partB, offset)) addRange(different, range);
    progress.advance(offset + length - progress.bytes);
    await setImmediate();
    signal?.throwIfAborted();
  }
  return different;
}

/** Where the pieces begin that hold ranges, which come in order; each once. */
async function* pieceOffsets(ranges: AsyncIterable<DiskRange>): AsyncIterable<number> {
  let next = 0;
  for await (const { offset, length } of ranges) {
    let position = Math.max(next, Math.floor(offset / pieceSize) * pieceSize);
    for (; position < offset + length; position += pieceSize) yield position;
    next = position;
  }
}

function* differentChunks(a: Uint8Array, b: Uint8Array, offset: number): Iterable<ChangedRange> {
  if (Buffer.compare(a, b) === 0) return;
  for (let start = 0; start < a.length; start += chunkSize) {
    const chunk = a.subarray(start, start + chunkSize);
    if (Buffer.compare(chunk, b.subarray(start, start + chunkSize)) === 0) continue;
    yield { offset: offset + start, length: chunk.length };
  }
}

/** Adds a range behind the others, to the last one where they touch. */
function addRange(ranges: ChangedRange[], range: ChangedRange): void {
  const last = ranges.at(-1);
  if (last === undefined || last.offset + last.length < range.offset) ranges.push(range);
  else ranges[ranges.length - 1] = { offset: last.offset, length: last.length + range.length };
}

/** Fills `target` with what is at `offset`, past the disk's end with zeros. */
async function readOrZeros(device: BlockDevice, target: Uint8Array, offset: number): Promise<void> {
  const length = Math.min(Math.max(device.size - offset, 0), target.length);
  target.fill(0, length);
  if (length > 0) await device.read(target.subarray(0, length), offset);
}
