import { isZero } from '../bytes/is-zero.ts';

/** Blocks of `bytes`, from `start` to before `end`, that are all zero or all not. */
export interface ZeroRun {
  readonly start: number;
  readonly end: number;
  readonly isZero: boolean;
}

/** Cuts `bytes` into runs of blocks of `blockSize` bytes (the last may be shorter) that are zero and that are not. */
export function* zeroRuns(bytes: Uint8Array, blockSize: number): Generator<ZeroRun, undefined> {
  let start = 0;
  let current: boolean | undefined;
  for (let position = 0; position < bytes.length; position += blockSize) {
    const blockIsZero = isZero(bytes.subarray(position, position + blockSize));
    if (current !== undefined && blockIsZero !== current) {
      yield { start, end: position, isZero: current };
      start = position;
    }
    current = blockIsZero;
  }
  if (current !== undefined) yield { start, end: bytes.length, isZero: current };
}
