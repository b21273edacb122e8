import { setImmediate } from 'node:timers/promises';
import type { MaybePromise } from '../../block/block-device.ts';
import { throwIfAborted } from '../../format/disk-pieces.ts';

/** How many pieces are dealt with at a time, and who may stop it. */
export interface EachPieceOptions {
  readonly count: number;
  readonly signal?: AbortSignal | undefined;
  /** Called when a piece has failed and others may still be under way, which nobody needs any more. */
  readonly onFailure?: (() => void) | undefined;
}

/** Others get a turn after so many bytes, where each piece counts as some more. */
const turnLength = 2 ** 22;
const costOfPiece = 16_384;

/**
 * Calls `work` for each piece, for several at a time, and is done when all of them are. After a failure no further piece
 * is begun; those under way are waited for.
 *
 * @throws what failed first, also where others failed because of that; VarveError `ABORTED` by the signal
 */
export async function eachPiece<Piece extends { readonly length: number }>(
  pieces: AsyncGenerator<Piece, undefined>,
  { count, onFailure, signal }: EachPieceOptions,
  work: (piece: Piece) => MaybePromise<void>,
): Promise<void> {
  const failures: unknown[] = [];
  let sinceTurn = 0;
  const worker = async (): Promise<void> => {
    try {
      for (let next = await pieces.next(); !(next.done || failures.length > 0); next = await pieces.next()) {
        throwIfAborted(signal);
        const working = work(next.value);
        if (working !== undefined) await working;
        sinceTurn += next.value.length + costOfPiece;
        if (sinceTurn >= turnLength) {
          // Where reading and writing finish at once nobody else would ever get a turn: no server, no Ctrl-C.
          sinceTurn = 0;
          await setImmediate();
        }
      }
    } catch (error) {
      if (failures.push(error) === 1) onFailure?.();
    }
  };
  await Promise.all(Array.from({ length: count }, worker));
  await pieces.return(undefined);
  throwIfAborted(signal);
  if (failures.length > 0) throw failures[0];
}
