import { VarveError } from '../../base/varve-error.ts';
import type { BlockDevice } from '../../block/block-device.ts';
import { isZero } from '../../bytes/is-zero.ts';
import { type CopyDeviceOptions, piecesOf, workOf } from './copy-device.ts';
import type { CopyPiece } from './copy-pieces.ts';
import { eachPiece } from './each-piece.ts';

/**
 * Reads all that `source` holds and the beginning of `target`, and compares. Of what both say is zeros nothing is read.
 *
 * @throws VarveError `IO` where they differ, `ABORTED` by the signal, and what the devices throw
 */
export async function verifyCopy(
  source: BlockDevice,
  target: BlockDevice,
  options: CopyDeviceOptions = {},
): Promise<void> {
  const { onProgress, requestSize = 2 ** 18 } = options;
  const pieces = piecesOf(source, options, target.supports.extents);
  await eachPiece(pieces, workOf(options), async (piece) => {
    if (piece.isZero) await verifyZeros(target, piece, requestSize);
    else await verifyData(source, target, piece);
    onProgress?.(piece.length);
  });
}

async function verifyData(source: BlockDevice, target: BlockDevice, { length, offset }: CopyPiece): Promise<void> {
  const [expected, found] = [new Uint8Array(length), new Uint8Array(length)];
  await Promise.all([source.read(expected, offset), target.read(found, offset)]);
  if (Buffer.compare(expected, found) === 0) return;
  throw different(offset + expected.findIndex((byte, index) => byte !== found[index]));
}

async function verifyZeros(target: BlockDevice, piece: CopyPiece, pieceLength: number): Promise<void> {
  for await (const { kind, length, offset } of target.extents(piece.offset, piece.length)) {
    if (kind !== 'data') continue;
    for (let done = 0; done < length; done += pieceLength) {
      const found = new Uint8Array(Math.min(pieceLength, length - done));
      await target.read(found, offset + done);
      if (!isZero(found)) throw different(offset + done + found.findIndex((byte) => byte !== 0));
    }
  }
}

function different(offset: number): VarveError {
  return new VarveError('IO', `the copy is not what the source holds: they differ at byte ${offset}; copy again`);
}
