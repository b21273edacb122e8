import type { BlockDevice } from '../../block/block-device.ts';
import { alignUp } from '../../bytes/align.ts';

/** A piece of a disk that is to be copied. */
export interface CopyPiece {
  readonly offset: number;
  readonly length: number;
  /** Whether the disk says that it is zeros. */
  readonly isZero: boolean;
}

/** How a disk is cut into pieces. */
export interface CopyPiecesOptions {
  /** Length of a piece of data, in bytes. */
  readonly dataLength: number;
  /** Length of a piece of zeros, in bytes. */
  readonly zeroLength: number;
  /** Whether the disk is asked which of it is zeros. */
  readonly useExtents: boolean;
}

/** A run of extents of one kind, as far as it has been told. */
interface Run {
  offset: number;
  end: number;
  readonly isZero: boolean;
}

/** All of a disk in pieces, in order, each of data or of zeros, and ending at multiples of its length. */
export async function* copyPieces(disk: BlockDevice, options: CopyPiecesOptions): AsyncGenerator<CopyPiece, undefined> {
  const { dataLength, useExtents, zeroLength } = options;
  const { size } = disk;
  if (size === 0) return;
  const all = [{ offset: 0, length: size, kind: 'data' }] as const;
  let run: Run = { offset: 0, end: 0, isZero: false };
  for await (const { kind, length, offset } of useExtents ? disk.extents(0, size) : all) {
    const isZero = kind !== 'data';
    if (isZero !== run.isZero) {
      yield* cut(run, run.isZero ? zeroLength : dataLength, true);
      run = { offset, end: offset, isZero };
    }
    run.end = offset + length;
    yield* cut(run, isZero ? zeroLength : dataLength, false);
  }
  yield* cut(run, run.isZero ? zeroLength : dataLength, true);
}

/** Takes pieces off the front of a run; a short one at its end only when there comes no more of it. */
function* cut(run: Run, pieceLength: number, isWhole: boolean): Generator<CopyPiece, undefined> {
  while (run.offset < run.end) {
    const full = alignUp(run.offset + 1, pieceLength);
    if (full > run.end && !isWhole) return;
    const end = Math.min(full, run.end);
    yield { offset: run.offset, length: end - run.offset, isZero: run.isZero };
    run.offset = end;
  }
}
