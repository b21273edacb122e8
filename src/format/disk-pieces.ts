import { setImmediate } from 'node:timers/promises';
import { VarveError } from '../base/varve-error.ts';
import type { BlockDevice, MaybePromise } from '../block/block-device.ts';
import { alignUp } from '../bytes/align.ts';
import type { DiskRange } from './data-ranges.ts';

/** A piece of a disk that was read. */
export interface DiskPiece extends DiskRange {
  /**
   * What is there, with zeros after the disk's end up to a multiple of the alignment. It is the consumer's until it
   * asks for the next piece, or for good if it transfers the buffer away.
   */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** How a disk is read in pieces. */
export interface DiskPiecesOptions {
  /** What the ranges are multiples of, in bytes. */
  readonly alignment: number;
  readonly signal?: AbortSignal | undefined;
}

interface Reading extends DiskPiece {
  readonly pending: MaybePromise<void>;
}

const minimumPieceSize = 2 ** 20;
/** Others get a turn after so many bytes, where each piece counts as some more. */
const turnLength = 2 ** 20;
const costOfPiece = 16384;
/** How many reads are under way at once where the disk does not answer at once. */
const readAhead = 4;

/**
 * Reads `ranges` of a disk in order, in pieces of 1 MiB (of one alignment, where that is more) or less, some of them
 * ahead.
 *
 * @throws VarveError `ABORTED` by the signal, and what the disk throws
 */
export async function* diskPieces(
  source: BlockDevice,
  ranges: AsyncIterable<DiskRange> | Iterable<DiskRange>,
  { alignment, signal }: DiskPiecesOptions,
): AsyncGenerator<DiskPiece> {
  const pieceSize = Math.max(minimumPieceSize, alignment);
  const spare: Uint8Array<ArrayBuffer>[] = [];
  const readings: Reading[] = [];
  let sinceTurn = 0;
  try {
    for await (const { offset, length } of cut(ranges, pieceSize)) {
      sinceTurn += costOfPiece + length;
      if (sinceTurn >= turnLength) {
        // Where reading and writing finish at once nobody else would ever get a turn: no thread's answer, no Ctrl-C.
        await setImmediate();
        sinceTurn = 0;
      }
      throwIfAborted(signal);
      const whole = spare.pop() ?? new Uint8Array(pieceSize);
      readings.push(startReading(source, whole, offset, length, alignment));
      while (readings.length >= readAhead || readings[0]?.pending === undefined) {
        if (readings.length === 0) break;
        yield* finish(readings.shift()!, spare, pieceSize);
      }
    }
    while (readings.length > 0) yield* finish(readings.shift()!, spare, pieceSize);
  } finally {
    // Nobody may dispose of the disk while it still fills these buffers.
    await Promise.allSettled(readings.map((reading) => reading.pending));
  }
}

/** @throws VarveError `ABORTED` once the signal has fired */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw new VarveError('ABORTED', 'stopped on request', { cause: signal.reason });
}

function startReading(
  source: BlockDevice,
  whole: Uint8Array<ArrayBuffer>,
  offset: number,
  length: number,
  alignment: number,
): Reading {
  const bytes = whole.subarray(0, alignUp(length, alignment));
  bytes.fill(0, length);
  const pending = source.read(bytes.subarray(0, length), offset);
  // Whoever waits for it sees the failure; until then it must not count as nobody's.
  pending?.catch(() => undefined);
  return { offset, length, bytes, pending };
}

async function* finish(
  reading: Reading,
  spare: Uint8Array<ArrayBuffer>[],
  pieceSize: number,
): AsyncGenerator<DiskPiece> {
  if (reading.pending !== undefined) await reading.pending;
  yield reading;
  const { buffer } = reading.bytes;
  if (!buffer.detached) spare.push(new Uint8Array(buffer, 0, pieceSize));
}

/** Cuts ranges where multiples of `pieceSize` are. */
async function* cut(
  ranges: AsyncIterable<DiskRange> | Iterable<DiskRange>,
  pieceSize: number,
): AsyncGenerator<DiskRange> {
  for await (const range of ranges) {
    const end = range.offset + range.length;
    for (let offset = range.offset; offset < end; ) {
      const length = Math.min(end - offset, pieceSize - (offset % pieceSize));
      yield { offset, length };
      offset += length;
    }
  }
}
