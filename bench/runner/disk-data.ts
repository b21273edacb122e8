import { closeSync, openSync, readSync } from 'node:fs';
import { isZero } from '../../src/bytes/is-zero.ts';
import { seekData, seekHole } from '../../src/linux/seek-data.ts';

/** The chunks' size: data is counted in pieces of these. */
const pieceLength = 65_536;

/** The offsets, in bytes, of the 64 KiB pieces of a disk file that are not all zeros. */
export function dataPieces(path: string): number[] {
  const file = openSync(path, 'r');
  const piece = new Uint8Array(pieceLength);
  const offsets: number[] = [];
  try {
    for (let end = 0, start = seekData(file, 0); start !== undefined; start = seekData(file, end)) {
      end = seekHole(file, start) ?? start + pieceLength;
      for (let offset = Math.floor(start / pieceLength) * pieceLength; offset < end; offset += pieceLength) {
        if (offset <= (offsets.at(-1) ?? -1)) continue;
        piece.fill(0);
        readSync(file, piece, 0, pieceLength, offset);
        if (!isZero(piece)) offsets.push(offset);
      }
    }
    return offsets;
  } finally {
    closeSync(file);
  }
}

/** The first `length` bytes of a disk file that are not zeros, counted in pieces of 64 KiB. */
export function dataOf(path: string, length: number): Uint8Array {
  const offsets = dataPieces(path).slice(0, length / pieceLength);
  if (offsets.length * pieceLength < length) throw new Error(`${path} holds less than ${length} bytes of data`);
  const data = new Uint8Array(length);
  const file = openSync(path, 'r');
  for (const [index, offset] of offsets.entries()) readSync(file, data, index * pieceLength, pieceLength, offset);
  closeSync(file);
  return data;
}
