import { setImmediate } from 'node:timers/promises';
import type { MaybePromise } from '../../block/block-device.ts';
import type { BlockRange } from '../../protocol/scsi/command-block.ts';
import type { BlockStatus } from '../../protocol/scsi/parameter-data.ts';
import { senses } from '../../protocol/scsi/sense.ts';
import { check, type DiskUnit, deviceFailure, type Failure, type Outcome, type Waiter } from './disk-unit.ts';

/*
 * What short commands have done to long parts of a disk. All of it goes piece by piece: one piece at a time of each disk, in
 * turns, and what else there is to do comes between, so that whoever asks for much takes neither memory nor time from others.
 */

/** A multiple of each block size, in bytes. */
const pieceLength = 2 ** 20;
/** What is shorter, in bytes, takes no turn of the event loop. */
const longestAtOnce = 2 ** 16;
/** So many ranges are unmapped before others have their turn. */
const rangesAtOnce = 16;
/** GET LBA STATUS looks at so many extents at most, and tells of less where there are more. */
const maximumExtents = 4096;

/** Goes through `length` bytes, until `visit` says that something is wrong; it may do as it likes with the piece. */
async function walk(
  { state }: DiskUnit,
  waiter: Waiter,
  length: number,
  visit: (done: number, piece: Uint8Array) => MaybePromise<Outcome>,
): Promise<Outcome> {
  for (let done = 0; done < length && !waiter.isAborted; done += pieceLength) {
    using _turn = await state.walks.lock();
    state.piece ??= new Uint8Array(pieceLength);
    const outcome = await visit(done, state.piece.subarray(0, Math.min(pieceLength, length - done)));
    if (outcome !== undefined) return outcome;
    if (length > longestAtOnce) await setImmediate();
  }
  return undefined;
}

/** Has all of a range read. */
export function readThrough(unit: DiskUnit, waiter: Waiter, offset: number, length: number): Promise<Outcome> {
  return walk(unit, waiter, length, (done, piece) => readPiece(unit, piece, offset + done));
}

/** Says where what is on the disk differs first from `data`, which is expected again and again up to `length`. */
export function compareThrough(
  unit: DiskUnit,
  waiter: Waiter,
  { data, length, offset }: { readonly data: Uint8Array; readonly offset: number; readonly length: number },
): Promise<Outcome> {
  return walk(unit, waiter, length, async (done, piece) => {
    const failure = await readPiece(unit, piece, offset + done);
    const expected = data.length === length ? data.subarray(done, done + piece.length) : data;
    return failure ?? difference(piece, expected, done);
  });
}

/** Like `compareThrough`, at once: for what is short, and must not wait for others. */
export async function compareNow(unit: DiskUnit, data: Uint8Array, offset: number): Promise<Outcome> {
  const piece = new Uint8Array(data.length);
  return (await readPiece(unit, piece, offset)) ?? difference(piece, data, 0);
}

async function readPiece({ device }: DiskUnit, target: Uint8Array, offset: number): Promise<Failure | undefined> {
  try {
    await device.read(target, offset);
  } catch (error) {
    return deviceFailure(error, false);
  }
  return undefined;
}

/** Whether `piece` is `expected` again and again; else where it is not, `done` bytes before it not counted. */
function difference(piece: Uint8Array, expected: Uint8Array, done: number): Failure | undefined {
  const { length } = expected;
  const rest = piece.subarray(length);
  const isFirstSame = Buffer.compare(piece.subarray(0, length), expected) === 0;
  if (isFirstSame && Buffer.compare(rest, piece.subarray(0, rest.length)) === 0) return undefined;
  const at = piece.findIndex((byte, index) => byte !== expected[index % length]);
  return check({ ...senses.miscompare, information: done + at });
}

/** Writes a block again and again; zeros where no block is given. */
export async function fill(
  unit: DiskUnit,
  waiter: Waiter,
  {
    block,
    length,
    offset,
  }: { readonly block: Uint8Array | undefined; readonly offset: number; readonly length: number },
): Promise<Outcome> {
  const { device } = unit;
  return await changing(unit, () =>
    walk(unit, waiter, length, async (done, piece) => {
      if (block === undefined) await device.zero(offset + done, piece.length);
      else await device.write(repeat(block, piece), offset + done);
      return undefined;
    }),
  );
}

/** Has ranges of blocks read as zeros, and freed where that can be. */
export async function unmapRanges(unit: DiskUnit, waiter: Waiter, ranges: readonly BlockRange[]): Promise<Outcome> {
  const { blockSize, device, state } = unit;
  return await changing(unit, async () => {
    for (let first = 0; first < ranges.length && !waiter.isAborted; first += rangesAtOnce) {
      using _turn = await state.walks.lock();
      for (const { count, lba } of ranges.slice(first, first + rangesAtOnce)) {
        if (count > 0) await device.zero(lba * blockSize, count * blockSize);
      }
      await setImmediate();
    }
    return undefined;
  });
}

/** Where the cache was switched off, the change is durable when it has been answered. */
async function changing({ device, state }: DiskUnit, change: () => Promise<Outcome>): Promise<Outcome> {
  try {
    const outcome = await change();
    if (outcome === undefined && !state.settings.writeCache) await device.flush();
    return outcome;
  } catch (error) {
    return deviceFailure(error, true);
  }
}

function repeat(block: Uint8Array, target: Uint8Array): Uint8Array {
  target.set(block);
  for (let done = block.length; done < target.length; done *= 2) target.copyWithin(done, 0, done);
  return target;
}

/** Which blocks are mapped from `lba` on, in `maximumRuns` runs at most; a block is mapped where any of it is data. */
export async function blockRuns(unit: DiskUnit, lba: number, maximumRuns: number): Promise<BlockStatus[] | Failure> {
  const { blockCount, blockSize, device, isThin } = unit;
  const runs: BlockStatus[] = [];
  let next = lba;
  let looked = 0;
  try {
    const end = Math.min(blockCount, lba + 2 ** 32 - 1) * blockSize;
    for await (const extent of device.extents(lba * blockSize, end - lba * blockSize)) {
      const isMapped = extent.kind === 'data' || !isThin;
      const until = Math[isMapped ? 'ceil' : 'floor']((extent.offset + extent.length) / blockSize);
      if (until <= next) continue;
      const last = runs.at(-1);
      if (last?.isMapped === isMapped) runs[runs.length - 1] = { ...last, count: until - last.lba };
      else if (runs.length >= maximumRuns) break;
      else runs.push({ lba: next, count: until - next, isMapped });
      next = until;
      looked += 1;
      if (looked >= maximumExtents) break;
    }
  } catch (error) {
    return deviceFailure(error, false);
  }
  return runs;
}
