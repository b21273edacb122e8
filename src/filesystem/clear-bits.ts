import { Bitmap } from '../bytes/bitmap.ts';

const pieceLength = 1 << 16;

/**
 * The runs of clear bits in a bitmap of `bitCount` bits that is read by `read` piece by piece, the lowest bit of a byte first:
 * what is free, where a bit says what is not.
 */
export async function* clearBitRuns(
  bitCount: number,
  read: (target: Uint8Array, offset: number) => Promise<void>,
): AsyncGenerator<{ readonly start: number; readonly count: number }> {
  let first = -1;
  for (let base = 0; base < bitCount; base += pieceLength * 8) {
    const bits = Math.min(pieceLength * 8, bitCount - base);
    const bytes = new Uint8Array(Math.ceil(bits / 8));
    await read(bytes, base / 8);
    const bitmap = Bitmap.fromBytes(bytes, bits);
    for (let index = 0; index < bits; ) {
      const start: number = first < 0 ? bitmap.nextClear(index) : index;
      if (start === bits) break;
      if (first < 0) first = base + start;
      index = bitmap.nextSet(start);
      if (index === bits) break;
      yield { start: first, count: base + index - first };
      first = -1;
    }
  }
  if (first >= 0) yield { start: first, count: bitCount - first };
}
